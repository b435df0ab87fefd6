//! `CDEvents`: artifacts that were published, pipelines that have ended, changes that were merged.

use serde_json::Value;

use super::forge::repository_of_url;
use super::preset::Preset;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::begins;
use super::{digest, reference, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::inbound::webhook_type::WebhookType;

/// Any sender of `CDEvents`.
pub(super) static CDEVENTS: Sender = Sender {
    name: "cdevents",
    provider: "cdevents",
    title: "CDEvents",
    types: &[WebhookType::CiPipeline],
    authentication: Preset::UrlToken,
    alternatives: &[],
    recognises: Some(|body| begins(body, "/context/type", "dev.cdevents.")),
    read,
    results: USUAL,
    time_is_push: true,
    replay_protection: ReplayProtection::Time,
    page: page!("cdevents"),
    examples: &[example!("cdevents", "artifact-published"), example!("cdevents", "pipeline-run-finished")],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    let payload = request.payload;
    // In structured mode the event lies one level deeper.
    let event = payload.get("data").filter(|data| data.get("context").is_some()).unwrap_or(payload);
    let delivery_id = json::text(event, "/context/id").or_else(|| request.header("ce-id")).map(str::to_owned);
    let kind = json::text(event, "/context/type").unwrap_or_default();
    let is = |name: &str| kind.strip_prefix("dev.cdevents.").is_some_and(|rest| rest.starts_with(name));
    let read = if is("artifact.published.") {
        artifact(request, event)
    } else if is("pipelinerun.finished.") {
        source(request, event, EventKind::CiFinished).map(|mut read| {
            read.result_text = json::text(event, "/subject/content/outcome").map(str::to_owned);
            read.run = json::text(event, "/subject/id").map(str::to_owned);
            read
        })
    } else if is("change.merged.") {
        source(request, event, EventKind::PullRequest).map(|mut read| {
            read.result_text = Some("merged".to_owned());
            read.run = json::text(event, "/subject/id").map(str::to_owned);
            read
        })
    } else {
        return Reading { delivery_id, ..Reading::ignored("The event is of no kind that is followed") };
    };
    let Some(mut read) = read else {
        return Reading {
            delivery_id,
            ..Reading::ignored("The event names neither an artifact nor a repository")
        };
    };
    read.pushed_at = event.pointer("/context/timestamp").and_then(time::parse);
    Reading { delivery_id, found: Found::Events(vec![read]) }
}

/// An artifact, by its package URL: `pkg:oci/app@sha256%3A…?repository_url=ghcr.io/org/app&tag=v1`.
fn artifact(request: &SenderRequest<'_>, event: &Value) -> Option<NormalisedEvent> {
    let purl = json::text(event, "/subject/id")?;
    let (path, query) = purl.split_once('?').unwrap_or((purl, ""));
    let (name, version) =
        path.strip_prefix("pkg:")?.split_once('@').unwrap_or((path.strip_prefix("pkg:")?, ""));
    let name = name.split_once('/').map(|(_, name)| name)?;
    let qualifier = |wanted: &str| {
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| decoded(value))
    };
    let image = qualifier("repository_url").unwrap_or_else(|| name.to_owned());
    let (host, image) = reference::split_host(reference::without_scheme(&image));
    let mut read = request.event(EventKind::ArtifactPushed, image);
    read.registry = host.map(str::to_owned);
    read.tag = qualifier("tag");
    digest::note(&mut read, Some(decoded(version).as_str()));
    Some(read)
}

fn source(request: &SenderRequest<'_>, event: &Value, kind: EventKind) -> Option<NormalisedEvent> {
    let said = json::text(event, "/subject/content/repository/url")
        .or_else(|| json::text(event, "/subject/content/repository/id"))
        .or_else(|| json::text(event, "/context/gitRepository"))?;
    let (registry, name) = repository_of_url(said).unwrap_or((None, said));
    let mut read = request.event(kind, name);
    read.registry = registry.map(str::to_owned);
    read.commit = json::text(event, "/context/gitRevision").map(str::to_owned);
    Some(read)
}

/// A text with its percent escapes resolved; what is no escape stays.
fn decoded(text: &str) -> String {
    text.replace("%3A", ":").replace("%3a", ":").replace("%2F", "/").replace("%2f", "/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &CDEVENTS,
            &[
                "artifact-published: artifact.pushed ghcr.io/myorg/myapp:v1.2.0@sha256:abab at 2024-01-01T00:00:00Z",
                "pipeline-run-finished: ci.finished github.com/myorg/myapp result=success run=p1 at 2024-01-01T00:00:00Z",
                "change-merged: pr myorg/myapp text=merged run=7 at 2024-01-01T00:00:00Z",
                "other: ignored: The event is of no kind that is followed",
            ],
        );
    }
}
