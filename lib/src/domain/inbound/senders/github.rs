//! GitHub: what a repository, an organisation or an app tells, pipelines and packages included.

use serde_json::Value;

use super::{Found, Reading, SenderRequest, forge, ghcr, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;

pub(super) fn read(delivery: &SenderRequest<'_>) -> Reading {
    let delivery_id = delivery.header("x-github-delivery").map(str::to_owned);
    Reading { delivery_id, found: found(delivery) }
}

fn found(delivery: &SenderRequest<'_>) -> Found {
    let payload = delivery.payload;
    let has = |member: &str| payload.get(member).is_some_and(Value::is_object);
    if payload.get("zen").is_some() && payload.get("hook_id").is_some() {
        return Found::Ping;
    }
    if has("workflow_run") {
        return finished(delivery, "workflow_run", None);
    }
    if has("workflow_job") {
        return finished(delivery, "workflow_job", Some("job"));
    }
    if has("check_suite") {
        return finished(delivery, "check_suite", Some("check_suite"));
    }
    if has("package") || has("registry_package") {
        return ghcr::read(delivery).found;
    }
    let other = || Found::Ignored("The event tells neither of code nor of a finished pipeline".to_owned());
    if has("deployment") || has("check_run") {
        return other();
    }
    forge::read(delivery).unwrap_or_else(other)
}

/// A workflow run that has ended, or a part of one.
fn finished(delivery: &SenderRequest<'_>, member: &str, scope: Option<&str>) -> Found {
    let payload = delivery.payload;
    let Some(run) = payload.get(member) else {
        return Found::Ignored("The body has no run".to_owned());
    };
    if json::text(payload, "/action") != Some("completed") {
        return Found::Ignored("The run has not ended".to_owned());
    }
    let mut event = match forge::event(delivery, EventKind::CiFinished) {
        Ok(event) => event,
        Err(found) => return found,
    };
    let text = |pointer: &str| json::text(run, pointer).map(str::to_owned);
    event.scope = scope.map(str::to_owned);
    event.result = text("/conclusion");
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
    use super::super::tests::lines;
    use crate::domain::inbound::provider::{Provider, WebhookType};

    #[test]
    fn each_of_its_bodies_says_what_it_should() {
        for (body, webhook_type, provider, expected) in [
            (
                include_str!("../../../../../events/inbound/github/push-branch.json"),
                WebhookType::GithubApp,
                Provider::Auto,
                vec![
                    "git.push github.com/myorg/myapp branch=feature/x commit=6f2d1c0 by octocat at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/github/push-tag.json"),
                WebhookType::GithubApp,
                Provider::Auto,
                vec![
                    "git.tag github.com/myorg/myapp:v1.2.0 commit=6f2d1c0 by octocat at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/github/push-deleted.json"),
                WebhookType::GithubApp,
                Provider::Auto,
                vec!["nothing: A branch or tag was deleted"],
            ),
            (
                include_str!("../../../../../events/inbound/github/create-tag.json"),
                WebhookType::GithubApp,
                Provider::Auto,
                vec!["git.tag github.com/myorg/myapp:v1.2.0 by octocat"],
            ),
            (
                include_str!("../../../../../events/inbound/github/release.json"),
                WebhookType::GithubApp,
                Provider::Auto,
                vec!["release github.com/myorg/myapp:v1.2.0 by octocat at 2024-01-01T00:00:00Z"],
            ),
            (
                include_str!("../../../../../events/inbound/github/release-draft.json"),
                WebhookType::GithubApp,
                Provider::Auto,
                vec!["nothing: The release was not published just now"],
            ),
            (
                include_str!("../../../../../events/inbound/github/workflow-run.json"),
                WebhookType::CiPipeline,
                Provider::GithubActions,
                vec![
                    "ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success run=30433642-2 by octocat at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/github/workflow-run-requested.json"),
                WebhookType::GithubApp,
                Provider::Auto,
                vec!["nothing: The run has not ended"],
            ),
            (
                include_str!("../../../../../events/inbound/github/workflow-job.json"),
                WebhookType::GithubApp,
                Provider::Auto,
                vec![
                    "ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=failure run=5-1 scope=job by octocat at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/github/pull-request-closed.json"),
                WebhookType::GithubApp,
                Provider::Auto,
                vec![
                    "pr github.com/myorg/myapp branch=feature commit=6f2d1c0 result=closed run=7 by octocat at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/github/pull-request-merged.json"),
                WebhookType::GithubApp,
                Provider::Auto,
                vec![
                    "pr github.com/myorg/myapp branch=feature commit=fffffff result=merged run=7 by octocat at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/github/ping.json"),
                WebhookType::GithubApp,
                Provider::Auto,
                vec!["ping"],
            ),
            (
                include_str!("../../../../../events/inbound/github/status.json"),
                WebhookType::GithubApp,
                Provider::Auto,
                vec!["nothing: The event tells neither of code nor of a finished pipeline"],
            ),
        ] {
            assert_eq!(lines(webhook_type, provider, body), expected, "{body}");
        }
    }
}
