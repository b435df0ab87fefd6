//! Tekton: runs that have ended, as CloudEvents. By convention, results name the images that were built.

use serde_json::Value;

use super::forge::repository_of_url;
use super::preset::Preset;
use super::pull_request::{number_in, run_of};
use super::results::Results;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use super::{digest, reference, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent, PipelineResult, RunOfPullRequest};
use crate::domain::inbound::webhook_type::WebhookType;

/// The reasons of the condition `Succeeded`. A run of which some tasks were skipped is `Completed`.
const RESULTS: Results = Results {
    success: &["succeeded", "completed"],
    failure: &["failed", "pipelineruntimeout", "taskruntimeout"],
    cancelled: &["cancelled", "taskruncancelled", "cancelledrunfinally", "stoppedrunfinally"],
    skipped: &[],
};

/// Tekton.
pub(super) static TEKTON: Sender = Sender {
    name: "tekton",
    provider: "tekton",
    title: "Tekton",
    types: &[WebhookType::CiPipeline],
    authentication: Preset::UrlToken,
    alternatives: &[],
    recognises: Some(|body| {
        // In binary and in structured mode.
        let runs =
            ["/pipelineRun/status", "/taskRun/status", "/data/pipelineRun/status", "/data/taskRun/status"];
        runs.iter().any(|run| has(body, run))
    }),
    read,
    results: RESULTS,
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
        Found::Ignored("The body has no run".to_owned())
    };
    Reading { delivery_id, found }
}

fn found(request: &SenderRequest<'_>, run: &Value, scope: Option<&str>) -> Found {
    let Some(result) = result(run) else { return Found::Ignored("The run has not ended".to_owned()) };
    let source = source(request, run);
    let pull_request = pull_request(run, source.as_ref());
    let mut events = images(request, run);
    if events.is_empty() {
        events.extend(source);
    }
    if events.is_empty() {
        return Found::Ignored("The run names neither an image nor a repository".to_owned());
    }
    let text = |pointer: &str| json::text(run, pointer).map(str::to_owned);
    for event in &mut events {
        event.scope = scope.map(str::to_owned);
        event.result_text = Some(result.to_owned());
        event.pipeline = pipeline(run, scope).map(str::to_owned);
        event.run = text("/metadata/uid").or_else(|| text("/metadata/name"));
        event.pull_request.clone_from(&pull_request);
        event.commit = note(run, "sha").map(str::to_owned);
        event.branch = note(run, "branch").map(|name| name.trim_start_matches("refs/heads/").to_owned());
        event.pushed_at = run.pointer("/status/completionTime").and_then(time::parse);
    }
    Found::Events(events)
}

/// The reason of the condition `Succeeded`, if the run has ended. Only its status says that it succeeded.
fn result(run: &Value) -> Option<&str> {
    let conditions = run.pointer("/status/conditions").and_then(Value::as_array)?;
    let succeeded = conditions.iter().find(|found| json::text(found, "/type") == Some("Succeeded"))?;
    let (is_success, otherwise) = match json::text(succeeded, "/status")? {
        "True" => (true, "Succeeded"),
        "False" => (false, "Failed"),
        _ => return None,
    };
    let means_success = |reason: &&str| RESULTS.read(reason, &[]) == PipelineResult::Success;
    let reason = json::text(succeeded, "/reason").filter(|reason| means_success(reason) == is_success);
    Some(reason.unwrap_or(otherwise))
}

/// The pipeline, or the task.
fn pipeline<'v>(run: &'v Value, scope: Option<&str>) -> Option<&'v str> {
    let (label, reference) = match scope {
        None => ("/metadata/labels/tekton.dev~1pipeline", "/spec/pipelineRef/name"),
        Some(_) => ("/metadata/labels/tekton.dev~1task", "/spec/taskRef/name"),
    };
    json::text(run, label).or_else(|| json::text(run, reference))
}

/// What Pipelines-as-Code notes about a run: an annotation, or a label.
fn note<'v>(run: &'v Value, name: &str) -> Option<&'v str> {
    ["annotations", "labels"]
        .iter()
        .find_map(|at| json::text(run, &format!("/metadata/{at}/pipelinesascode.tekton.dev~1{name}")))
}

/// The repository of the code, which Pipelines-as-Code notes.
fn source(request: &SenderRequest<'_>, run: &Value) -> Option<NormalisedEvent> {
    let (registry, name) = note(run, "repo-url").and_then(repository_of_url)?;
    let mut event = request.event(EventKind::CiFinished, name);
    event.registry = registry.map(str::to_owned);
    Some(event)
}

/// The pull request of a run. The push of a merge has the number of its request too.
fn pull_request(run: &Value, source: Option<&NormalisedEvent>) -> Option<RunOfPullRequest> {
    let kind = note(run, "event-type").unwrap_or_default().to_lowercase();
    let is = |words: &[&str]| words.iter().any(|word| kind.contains(word));
    let number = note(run, "pull-request").and_then(number_in);
    let is_of_request = number.is_some() || is(&["pull", "merge", "pr:"]);
    if !is_of_request || is(&["push", "refs_changed", "incoming"]) {
        return None;
    }
    let without_source = RunOfPullRequest { number, ..RunOfPullRequest::default() };
    Some(source.map_or(without_source, |source| run_of(source, number, note(run, "source-repo-url"))))
}

/// The images that a run says it built, by the conventions of Tekton Chains: pairs of results whose names begin
/// alike and end in `IMAGE_URL` and `IMAGE_DIGEST`, and the list `IMAGES`.
fn images(request: &SenderRequest<'_>, run: &Value) -> Vec<NormalisedEvent> {
    let lists = ["/status/results", "/status/pipelineResults", "/status/taskResults"];
    let results = lists.iter().filter_map(|at| run.pointer(at)?.as_array()).flatten();
    let named: Vec<(&str, &Value)> =
        results.filter_map(|found| Some((json::text(found, "/name")?, found.get("value")?))).collect();
    let text =
        |name: &str| named.iter().find(|(known, _)| *known == name).and_then(|(_, value)| value.as_str());
    let pairs = named.iter().filter_map(|(name, url)| {
        let digest = text(&format!("{}IMAGE_DIGEST", name.strip_suffix("IMAGE_URL")?));
        image(request, url.as_str()?, digest)
    });
    let mut images: Vec<NormalisedEvent> = pairs.collect();
    let listed = named.iter().filter(|(name, _)| *name == "IMAGES").flat_map(|(_, value)| match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().unwrap_or_default().split([',', '\n']).collect::<Vec<_>>(),
    });
    for listed in listed.filter_map(|written| image(request, written, None)) {
        let is_same = |known: &NormalisedEvent| {
            (&known.registry, &known.repository, &known.digest)
                == (&listed.registry, &listed.repository, &listed.digest)
                && (listed.tag.is_none() || listed.tag == known.tag)
        };
        if !images.iter().any(is_same) {
            images.push(listed);
        }
    }
    images
}

fn image(request: &SenderRequest<'_>, url: &str, digest: Option<&str>) -> Option<NormalisedEvent> {
    let image = reference::split(url.trim());
    let (host, name) = Some(image.name).filter(|name| !name.is_empty()).map(reference::split_host)?;
    let mut event = request.event(EventKind::CiFinished, name);
    event.registry = host.map(str::to_owned);
    event.tag = image.tag.map(str::to_owned);
    digest::note(&mut event, digest.map(str::trim).or(image.digest));
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;
    use crate::domain::inbound::senders::recognise;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &TEKTON,
            &[
                "pipeline-run: ci.finished ghcr.io/myorg/myapp:v1.2.0@sha256:abab branch=main commit=6f2d1c0 result=success text=Succeeded run=u1 at 2024-01-01T00:00:00Z",
                "pipeline-run-cancelled: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=cancelled text=Cancelled pipeline=build run=u2 at 2024-01-01T00:00:00Z",
                "pipeline-run-failed: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=failure text=Failed run=u1 at 2024-01-01T00:00:00Z",
                "pipeline-run-images: ci.finished ghcr.io/myorg/web:v2@sha256:cdcd result=success text=Completed pipeline=build run=u3 at 2024-01-01T00:00:00Z",
                "pipeline-run-images: ci.finished ghcr.io/myorg/api:v3@sha256:abab result=success text=Completed pipeline=build run=u3 at 2024-01-01T00:00:00Z",
                "pipeline-run-images: ci.finished localhost:5000/tool:v1 result=success text=Completed pipeline=build run=u3 at 2024-01-01T00:00:00Z",
                "pipeline-run-images: ci.finished ghcr.io/myorg/base@sha256:efef result=success text=Completed pipeline=build run=u3 at 2024-01-01T00:00:00Z",
                "pipeline-run-of-fork: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success text=Succeeded pipeline=build run=u4 request=5 of a fork at 2024-01-01T00:00:00Z",
                "pipeline-run-of-merge: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success text=Succeeded pipeline=build run=u5 at 2024-01-01T00:00:00Z",
                "pipeline-run-structured: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=failure text=Failed run=u1 at 2024-01-01T00:00:00Z",
                "pipeline-run-unknown: ignored: The run has not ended",
                "task-run: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success text=Succeeded pipeline=lint run=u6 scope=task at 2024-01-01T00:00:00Z",
            ],
        );
    }

    #[test]
    fn a_structured_event_is_recognised() {
        let body = include_str!("../../../../../events/inbound/tekton/pipeline-run-structured.json");
        assert_eq!(*recognise(&serde_json::from_str(body).unwrap()), TEKTON);
    }

    #[test]
    fn only_the_conditions_status_means_success() {
        let run = |status: &str, reason: &str| {
            serde_json::json!({"status": {"conditions": [
                {"type": "Ready", "status": "True"},
                {"type": "Succeeded", "status": status, "reason": reason},
            ]}})
        };
        for (status, reason, text) in [
            ("True", "Completed", Some("Completed")),
            ("True", "SomethingNew", Some("Succeeded")),
            ("False", "Completed", Some("Failed")),
            ("False", "PipelineRunTimeout", Some("PipelineRunTimeout")),
            ("Unknown", "Running", None),
        ] {
            assert_eq!(result(&run(status, reason)), text, "{status} {reason}");
        }
    }
}
