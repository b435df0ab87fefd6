//! CircleCI: workflows and jobs that have ended.

use serde_json::Value;

use super::forge::repository_of_url;
use super::preset::Preset;
use super::pull_request::{number_of_reference, run_of};
use super::results::Results;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::is;
use super::time;
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;
use crate::domain::inbound::webhook_type::WebhookType;

/// The statuses of workflows and jobs.
const RESULTS: Results = Results {
    success: &["success"],
    failure: &["failed", "error", "unauthorized"],
    cancelled: &["canceled"],
    skipped: &[],
};

/// CircleCI.
pub(super) static CIRCLECI: Sender = Sender {
    name: "circleci",
    provider: "circleci",
    title: "CircleCI",
    types: &[WebhookType::CiPipeline],
    authentication: Preset::hmac_sha256("circleci-signature", Some("v1=")),
    alternatives: &[],
    recognises: Some(|body| is(body, "/type", "workflow-completed") || is(body, "/type", "job-completed")),
    read,
    results: RESULTS,
    time_is_push: true,
    replay_protection: ReplayProtection::Id,
    page: page!("circleci"),
    examples: &[example!("circleci", "workflow-completed", "circleci-event-type" = "workflow-completed")],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    let delivery_id = json::text(request.payload, "/id").map(str::to_owned);
    Reading { delivery_id, found: found(request) }
}

fn found(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let other = |reason: &str| Found::Ignored(reason.to_owned());
    let (member, scope) = match json::text(payload, "/type") {
        Some("workflow-completed") => ("workflow", None),
        Some("job-completed") => ("job", Some("job")),
        Some("ping") => return Found::Ping,
        _ => return other("Neither a workflow nor a job has ended"),
    };
    let run = payload.get(member).unwrap_or(&Value::Null);
    // GitHub apps and GitLab have it among the trigger's parameters.
    let git = |vcs: &str, parameter: &str| {
        let parameter = format!("/pipeline/trigger_parameters/git/{parameter}");
        json::text(payload, &format!("/pipeline/vcs/{vcs}")).or_else(|| json::text(payload, &parameter))
    };
    let source = git("target_repository_url", "repo_url").and_then(repository_of_url);
    let slug = || {
        json::text(payload, "/project/slug")
            .and_then(|slug| slug.split_once('/'))
            .map(|(_, name)| (None, name))
    };
    let Some((registry, name)) = source.or_else(slug) else {
        return other("The event names no repository");
    };
    let mut event = request.event(EventKind::CiFinished, name);
    event.registry = registry.map(str::to_owned);
    event.scope = scope.map(str::to_owned);
    event.result_text = json::text(run, "/status").map(str::to_owned);
    event.pipeline = json::text(run, "/name").map(str::to_owned);
    event.run = json::text(run, "/id").map(str::to_owned);
    // A workflow that is run again has another id in the same pipeline.
    event.run_id = json::text(payload, "/pipeline/id").map(str::to_owned);
    event.commit = git("revision", "checkout_sha").map(str::to_owned);
    event.branch = git("branch", "branch").map(str::to_owned);
    event.tag = git("tag", "tag").map(str::to_owned);
    // Requests of forks are built on the branch `pull/<number>`, and their origin is the fork.
    let number = event.branch.as_deref().and_then(|branch| number_of_reference(branch, &["pull/"]));
    let origin = json::text(payload, "/pipeline/vcs/origin_repository_url");
    let request = run_of(&event, number, origin);
    event.pull_request = Some(request).filter(|request| number.is_some() || request.fork == Some(true));
    event.pushed_at = payload.get("happened_at").and_then(time::parse);
    event.url = json::url(payload, "/workflow/url");
    Found::Events(vec![event])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &CIRCLECI,
            &[
                "workflow-completed: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success pipeline=build run=w1 runId=p1 at 2024-01-01T00:00:00Z",
                "job-completed: ci.finished gitlab.com/myorg/myapp:v1.2.0 commit=6f2d1c0 result=failure text=failed pipeline=test run=j1 runId=p1 scope=job at 2024-01-01T00:00:00Z",
                "workflow-of-fork: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success pipeline=build run=w2 runId=p2 request= of a fork at 2024-01-01T00:00:00Z",
                "workflow-of-pull-request: ci.finished github.com/myorg/myapp branch=pull/5 commit=6f2d1c0 result=success pipeline=build run=w2 runId=p2 request=5 of a fork at 2024-01-01T00:00:00Z",
                "ping: ping",
            ],
        );
    }
}
