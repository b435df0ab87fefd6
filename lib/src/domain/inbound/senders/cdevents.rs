//! `CDEvents`: artifacts that were published or deleted, pipelines and builds that have ended, changes that
//! were merged. No event says that a pipeline ran for a pull request.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::forge::repository_of_url;
use super::preset::Preset;
use super::results::Results;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::begins;
use super::{digest, reference, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::inbound::webhook_type::WebhookType;

/// The outcomes of pipeline runs.
const RESULTS: Results = Results {
    success: &["success"],
    failure: &["failure", "error"],
    cancelled: &["cancel", "cancelled", "canceled"],
    skipped: &[],
};

/// Any sender of `CDEvents`.
pub(super) static CDEVENTS: Sender = Sender {
    name: "cdevents",
    provider: "cdevents",
    title: "CDEvents",
    types: &[WebhookType::CiPipeline],
    authentication: Preset::UrlToken,
    alternatives: &[],
    recognises: Some(|body| {
        // In binary and in structured mode.
        ["/context/type", "/data/context/type"].iter().any(|kind| begins(body, kind, "dev.cdevents."))
    }),
    read,
    results: RESULTS,
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
        artifact(request, json::text(event, "/subject/id"), EventKind::ArtifactPushed)
    } else if is("artifact.deleted.") {
        artifact(request, json::text(event, "/subject/id"), EventKind::ArtifactDeleted)
    } else if is("pipelinerun.finished.") {
        pipeline_run(request, event)
    } else if is("build.finished.") {
        build(request, event)
    } else if is("change.merged.") {
        source(request, event, EventKind::PullRequest).map(|mut read| {
            read.result_text = Some("merged".to_owned());
            read.run = json::text(event, "/subject/id").map(str::to_owned);
            read
        })
    } else {
        return Reading { delivery_id, ..Reading::ignored("Events of this type are not read") };
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

fn pipeline_run(request: &SenderRequest<'_>, event: &Value) -> Option<NormalisedEvent> {
    let mut read = source(request, event, EventKind::CiFinished)?;
    read.result_text = json::text(event, "/subject/content/outcome").map(str::to_owned);
    read.pipeline = json::text(event, "/subject/content/pipelineName").map(str::to_owned);
    read.run = json::text(event, "/subject/id").map(str::to_owned);
    read.url = json::url(event, "/subject/content/url").or_else(|| json::url(event, "/subject/content/uri"));
    Some(read)
}

/// A build, by the artifact that it made. It has no outcome, so that it activates no trigger.
fn build(request: &SenderRequest<'_>, event: &Value) -> Option<NormalisedEvent> {
    let made = json::text(event, "/subject/content/artifactId");
    let mut read = artifact(request, made, EventKind::CiFinished)?;
    read.scope = Some("build".to_owned());
    read.run = json::text(event, "/subject/id").map(str::to_owned);
    Some(read)
}

/// An artifact, by its [package URL]: `pkg:oci/app@sha256%3A…?repository_url=ghcr.io/org/app&tag=v1`,
/// `pkg:docker/org/app@v1?repository_url=ghcr.io`, `pkg:npm/%40org/app@1.2.0`.
///
/// [package URL]: https://github.com/package-url/purl-spec
fn artifact(request: &SenderRequest<'_>, purl: Option<&str>, kind: EventKind) -> Option<NormalisedEvent> {
    let (path, query) = purl?.split_once('?').unwrap_or((purl?, ""));
    let (package, name) = path.strip_prefix("pkg:")?.trim_start_matches('/').split_once('/')?;
    let (name, version) = name.rsplit_once('@').unwrap_or((name, ""));
    let (name, version) = (decoded(name), decoded(version));
    let qualifier = |wanted: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(name, _)| *name == wanted).map(|(_, value)| decoded(value)).next()
    };
    let at = qualifier("repository_url");
    let at = at.as_deref().map(|url| reference::without_scheme(url).trim_end_matches('/'));
    // `repository_url` has the whole name of an OCI artifact, and the host alone of other packages.
    let (host, name) = match (package, at) {
        ("oci", Some(whole)) => reference::split_host(whole),
        (_, Some(at)) => (at.split('/').next(), name.as_str()),
        ("docker", None) => (Some("docker.io"), name.as_str()),
        // A module's name begins with its host.
        ("golang", None) => reference::split_host(&name),
        (_, None) => (None, name.as_str()),
    };
    let mut read = request.event(kind, name);
    read.registry = host.map(str::to_owned);
    let version = Some(version).filter(|version| !version.is_empty());
    let is_digest = version.as_deref().is_some_and(digest::has_form);
    digest::note(&mut read, version.as_deref().filter(|_| is_digest));
    read.tag = qualifier("tag").or(version.filter(|_| !is_digest && package != "oci"));
    Some(read)
}

fn source(request: &SenderRequest<'_>, event: &Value, kind: EventKind) -> Option<NormalisedEvent> {
    let written = json::text(event, "/subject/content/repository/url")
        .or_else(|| json::text(event, "/subject/content/repository/id"))
        .or_else(|| json::text(event, "/context/gitRepository"))?;
    let (registry, name) = repository_of_url(written).unwrap_or((None, written));
    let mut read = request.event(kind, name);
    read.registry = registry.map(str::to_owned);
    read.commit = json::text(event, "/context/gitRevision").map(str::to_owned);
    Some(read)
}

/// A text with its percent escapes resolved. Other percent signs stay.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::inbound::normalise::tests::{assert_bodies, events, parsed};
    use crate::domain::inbound::senders::recognise;

    #[test]
    fn a_structured_event_is_recognised_and_is_the_same_as_a_binary_one() {
        let [binary, structured] = [
            include_str!("../../../../../events/inbound/cdevents/artifact-published.json"),
            include_str!("../../../../../events/inbound/cdevents/artifact-published-structured.json"),
        ];
        let sender = recognise(&serde_json::from_str(structured).unwrap());
        assert_eq!(*sender, CDEVENTS);
        assert_eq!(parsed(sender, structured).delivery_id, parsed(sender, binary).delivery_id);
    }

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &CDEVENTS,
            &[
                "artifact-deleted: artifact.deleted ghcr.io/myorg/myapp:v1.2.0@sha256:abab at 2024-01-01T00:00:00Z",
                "artifact-published: artifact.pushed ghcr.io/myorg/myapp:v1.2.0@sha256:abab at 2024-01-01T00:00:00Z",
                "artifact-published-structured: artifact.pushed ghcr.io/myorg/myapp:v1.2.0@sha256:abab at 2024-01-01T00:00:00Z",
                "build-finished: ci.finished ghcr.io/myorg/myapp@sha256:abab run=b1 scope=build at 2024-01-01T00:00:00Z",
                "npm-published: artifact.pushed @myorg/myapp:1.2.0 at 2024-01-01T00:00:00Z",
                "pipeline-run-finished: ci.finished github.com/myorg/myapp result=success pipeline=build run=p1 at 2024-01-01T00:00:00Z",
                "change-merged: pr myorg/myapp text=merged run=7 at 2024-01-01T00:00:00Z",
                "other: ignored: Events of this type are not read",
            ],
        );
    }

    #[test]
    fn packages_of_every_type_have_a_name_and_a_version() {
        let digest = format!("sha256%3A{}", "ab".repeat(32));
        for (purl, registry, repository, tag, has_digest) in [
            ("pkg:oci/app@DIGEST?repository_url=ghcr.io/o/app", Some("ghcr.io"), "o/app", None, true),
            ("pkg:oci/app@DIGEST", None, "app", None, true),
            ("pkg:docker/o/app@v1?repository_url=ghcr.io", Some("ghcr.io"), "o/app", Some("v1"), false),
            ("pkg:docker/o/app@DIGEST", Some("docker.io"), "o/app", None, true),
            ("pkg:golang/git.example.com/app@v1.2.0", Some("git.example.com"), "app", Some("v1.2.0"), false),
            ("pkg:maven/org.example/app@1.0?type=jar", None, "org.example/app", Some("1.0"), false),
            ("pkg:npm/%40o/app@1.2.0", None, "@o/app", Some("1.2.0"), false),
        ] {
            let body = json!({"context": {"type": "dev.cdevents.artifact.published.0.2.0"},
                "subject": {"id": purl.replace("DIGEST", &digest)}});
            let event = events(&CDEVENTS, &body.to_string()).remove(0);
            let found = (event.registry.as_deref(), event.repository.as_str(), event.tag.as_deref());
            assert_eq!(found, (registry, repository, tag), "{purl}");
            assert_eq!(event.digest_valid, has_digest, "{purl}");
        }
    }

    #[test]
    fn percent_escapes_are_resolved() {
        assert_eq!(decoded("a%3Ab%2fc%20d"), "a:b/c d");
        assert_eq!(decoded("100%, %zz, %2"), "100%, %zz, %2");
        assert_eq!(decoded("%ff"), "%ff");
    }
}
