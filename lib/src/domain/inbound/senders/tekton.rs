//! Tekton: runs that have ended, as CloudEvents. What was built is told by results, by convention.

use serde_json::Value;

use super::forge::repository_of_url;
use super::preset::Preset;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use super::{digest, reference, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::inbound::webhook_type::WebhookType;

/// Tekton.
pub(super) static TEKTON: Sender = Sender {
    name: "tekton",
    provider: "tekton",
    title: "Tekton",
    types: &[WebhookType::CiPipeline],
    authentication: Preset::UrlToken,
    alternatives: &[],
    recognises: Some(|body| has(body, "/pipelineRun/status") || has(body, "/taskRun/status")),
    read,
    results: USUAL,
    time_is_push: true,
    replay_protection: ReplayProtection::Id,
    page: page!("tekton"),
    examples: &[example!("tekton", "pipeline-run")],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    let payload = request.payload;
    let delivery_id = request.header("ce-id").or_else(|| json::text(payload, "/id")).map(str::to_owned);
    // In structured mode the run lies one level deeper.
    let body = payload.get("data").filter(|data| data.is_object()).unwrap_or(payload);
    let found = if let Some(run) = body.get("pipelineRun") {
        found(request, run, None)
    } else if let Some(run) = body.get("taskRun") {
        found(request, run, Some("task"))
    } else {
        Found::Ignored("The event is about no run".to_owned())
    };
    Reading { delivery_id, found }
}

fn found(request: &SenderRequest<'_>, run: &Value, scope: Option<&str>) -> Found {
    let other = |reason: &str| Found::Ignored(reason.to_owned());
    let conditions = run.pointer("/status/conditions").and_then(Value::as_array);
    let succeeded =
        conditions.into_iter().flatten().find(|found| json::text(found, "/type") == Some("Succeeded"));
    let result = match succeeded.and_then(|found| json::text(found, "/status")) {
        Some("True") => "success",
        Some("False") => "failed",
        _ => return other("The run has not ended"),
    };
    let annotation =
        |name: &str| json::text(run, &format!("/metadata/annotations/pipelinesascode.tekton.dev~1{name}"));
    let Some(mut event) = image(request, run).or_else(|| {
        let (registry, name) = annotation("repo-url").and_then(repository_of_url)?;
        let mut event = request.event(EventKind::CiFinished, name);
        event.registry = registry.map(str::to_owned);
        Some(event)
    }) else {
        return other("The run names neither an image nor a repository");
    };
    event.scope = scope.map(str::to_owned);
    event.result_text = Some(result.to_owned());
    event.run =
        json::text(run, "/metadata/uid").or_else(|| json::text(run, "/metadata/name")).map(str::to_owned);
    event.commit = annotation("sha").map(str::to_owned);
    event.branch = annotation("branch").map(|name| name.trim_start_matches("refs/heads/").to_owned());
    event.pushed_at = run.pointer("/status/completionTime").and_then(time::parse);
    Found::Events(vec![event])
}

/// The image that a run says it built: results whose names end in `IMAGE_URL` and `IMAGE_DIGEST`.
fn image(request: &SenderRequest<'_>, run: &Value) -> Option<NormalisedEvent> {
    let lists = ["/status/results", "/status/pipelineResults", "/status/taskResults"];
    let results = lists.iter().find_map(|at| run.pointer(at)?.as_array())?;
    let named = |ending: &str| {
        let found = results
            .iter()
            .find(|found| json::text(found, "/name").is_some_and(|name| name.ends_with(ending)));
        found.and_then(|found| json::text(found, "/value"))
    };
    let url = named("IMAGE_URL")?;
    let (host, name) = reference::split_host(reference::bare(url));
    let mut event = request.event(EventKind::CiFinished, name);
    event.registry = host.map(str::to_owned);
    event.tag = reference::tag(url).map(str::to_owned);
    digest::note(&mut event, named("IMAGE_DIGEST"));
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &TEKTON,
            &[
                "pipeline-run: ci.finished ghcr.io/myorg/myapp:v1.2.0@sha256:abab branch=main commit=6f2d1c0 result=success run=u1 at 2024-01-01T00:00:00Z",
                "pipeline-run-failed: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=failure text=failed run=u1 at 2024-01-01T00:00:00Z",
                "pipeline-run-unknown: ignored: The run has not ended",
            ],
        );
    }
}
