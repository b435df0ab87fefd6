//! GitHub: what a repository, an organisation or an app tells, pipelines and packages included.

use serde_json::Value;

use super::results::USUAL;
use super::sender::{AUTO, Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use super::{forge, ghcr, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;
use crate::domain::inbound::webhook_type::WebhookType;

/// GitHub: a GitHub App, or the webhook of a repository or organisation.
pub(super) static GITHUB: Sender = Sender {
    name: "github",
    provider: AUTO,
    title: "GitHub",
    types: &[WebhookType::GithubApp],
    authentication: ghcr::SIGNATURE,
    alternatives: &[],
    recognises: Some(recognises),
    read,
    results: USUAL,
    time_is_push: false,
    replay_protection: ReplayProtection::State,
    page: page!("github"),
    examples: &[
        example!("github", "ping", "X-GitHub-Event" = "ping"),
        example!("github", "push-branch", "X-GitHub-Event" = "push"),
        example!("github", "push-tag", "X-GitHub-Event" = "push"),
        example!("github", "release", "X-GitHub-Event" = "release"),
        example!("github", "workflow-run", "X-GitHub-Event" = "workflow_run"),
    ],
};

/// GitHub, for a config of a CI system.
pub(super) static GITHUB_ACTIONS: Sender = Sender {
    name: "github-actions",
    provider: "github-actions",
    title: "GitHub Actions",
    types: &[WebhookType::CiPipeline, WebhookType::GithubApp],
    recognises: None,
    examples: &[],
    ..GITHUB
};

/// What no relative of GitHub's sends: a push could be Gitea's as well.
fn recognises(body: &Value) -> bool {
    ["/workflow_run", "/workflow_job", "/check_suite", "/hook_id"].iter().any(|member| has(body, member))
}

fn read(request: &SenderRequest<'_>) -> Reading {
    let delivery_id = request.header("x-github-delivery").map(str::to_owned);
    Reading { delivery_id, found: found(request) }
}

fn found(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let has = |member: &str| payload.get(member).is_some_and(Value::is_object);
    if payload.get("zen").is_some() && payload.get("hook_id").is_some() {
        return Found::Ping;
    }
    if has("workflow_run") {
        return finished(request, "workflow_run", None);
    }
    if has("workflow_job") {
        return finished(request, "workflow_job", Some("job"));
    }
    if has("check_suite") {
        return finished(request, "check_suite", Some("check_suite"));
    }
    if has("package") || has("registry_package") {
        return ghcr::read(request).found;
    }
    let other = || Found::Ignored("The event tells neither of code nor of a finished pipeline".to_owned());
    if has("deployment") || has("check_run") {
        return other();
    }
    forge::read(request).unwrap_or_else(other)
}

/// A workflow run that has ended, or a part of one.
fn finished(request: &SenderRequest<'_>, member: &str, scope: Option<&str>) -> Found {
    let payload = request.payload;
    let Some(run) = payload.get(member) else {
        return Found::Ignored("The body has no run".to_owned());
    };
    if json::text(payload, "/action") != Some("completed") {
        return Found::Ignored("The run has not ended".to_owned());
    }
    let mut event = match forge::event(request, EventKind::CiFinished) {
        Ok(event) => event,
        Err(found) => return found,
    };
    let text = |pointer: &str| json::text(run, pointer).map(str::to_owned);
    event.scope = scope.map(str::to_owned);
    event.result_text = text("/conclusion");
    event.commit = text("/head_sha");
    event.branch = text("/head_branch");
    event.url = json::url(run, "/html_url");
    event.pushed_at = ["/updated_at", "/completed_at"].iter().find_map(|at| time::parse(run.pointer(at)?));
    // A run that is run again keeps its id.
    let attempt = run.get("run_attempt").and_then(Value::as_u64).unwrap_or(1);
    event.run = run.get("id").and_then(Value::as_u64).map(|id| format!("{id}-{attempt}"));
    Found::Events(vec![event])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &GITHUB,
            &[
                "push-branch: git.push github.com/myorg/myapp branch=feature/x commit=6f2d1c0 by octocat at 2024-01-01T00:00:00Z",
                "push-tag: git.tag github.com/myorg/myapp:v1.2.0 commit=6f2d1c0 by octocat at 2024-01-01T00:00:00Z",
                "push-deleted: ignored: A branch or tag was deleted",
                "create-tag: git.tag github.com/myorg/myapp:v1.2.0 by octocat",
                "release: release github.com/myorg/myapp:v1.2.0 by octocat at 2024-01-01T00:00:00Z",
                "release-draft: ignored: The release was not published just now",
                "workflow-run: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success run=30433642-2 by octocat at 2024-01-01T00:00:00Z",
                "workflow-run-requested: ignored: The run has not ended",
                "workflow-job: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=failure run=5-1 scope=job by octocat at 2024-01-01T00:00:00Z",
                "pull-request-closed: pr github.com/myorg/myapp branch=feature commit=6f2d1c0 text=closed run=7 by octocat at 2024-01-01T00:00:00Z",
                "pull-request-merged: pr github.com/myorg/myapp branch=feature commit=fffffff text=merged run=7 by octocat at 2024-01-01T00:00:00Z",
                "ping: ping",
                "status: ignored: The event tells neither of code nor of a finished pipeline",
                "check-suite: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success run=8-1 scope=check_suite by octocat at 2024-01-01T00:00:00Z",
                "deployment-status: ignored: The event tells neither of code nor of a finished pipeline",
                "repository-dispatch: ignored: The event tells neither of code nor of a finished pipeline",
            ],
        );
    }
}
