//! GitHub: the webhook of a repository, an organisation or an app, for code, pipelines and packages.

use serde_json::Value;

use super::results::Results;
use super::sender::{AUTO, Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use super::{forge, ghcr, workflow_runs};
use crate::domain::inbound::webhook_type::WebhookType;

/// The values of `conclusion` with which a run ends. `action_required` and `stale` are none of these results.
const CONCLUSIONS: Results = Results {
    success: &["success"],
    failure: &["failure", "timedout", "startupfailure"],
    cancelled: &["cancelled"],
    skipped: &["skipped", "neutral"],
};

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
    results: CONCLUSIONS,
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

/// A push could be Gitea's as well, and so could a run, whose user has a `username` there.
fn recognises(body: &Value) -> bool {
    let is_run = ["/workflow_run", "/workflow_job"].iter().any(|member| has(body, member));
    let is_own = ["/check_suite", "/hook_id"].iter().any(|member| has(body, member));
    is_own || (is_run && !has(body, "/sender/username"))
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
    if let Some(found) = workflow_runs::read(request) {
        return found;
    }
    if has("package") || has("registry_package") {
        return ghcr::read(request).found;
    }
    let other = || Found::Ignored("The event is not about code or a finished pipeline".to_owned());
    // A cache of GitHub Enterprise Server has fetched a push that was announced before, possibly long ago.
    let is_cache_sync = payload.get("cache_location").is_some();
    if has("deployment") || has("check_run") || is_cache_sync {
        return other();
    }
    forge::read(request).unwrap_or_else(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::{assert_bodies, events};
    use crate::domain::inbound::normalised::PipelineResult;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &GITHUB,
            &[
                "cache-sync: ignored: The event is not about code or a finished pipeline",
                "check-suite: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success run=8-1 runId=8 scope=check_suite by octocat at 2024-01-01T00:00:00Z",
                "check-suite-fork: ci.finished github.com/myorg/myapp commit=6f2d1c0 result=success run=8-1 runId=8 request= of a fork scope=check_suite by octocat at 2024-01-01T00:00:00Z",
                "check-suite-pull-request: ci.finished github.com/myorg/myapp branch=feature commit=6f2d1c0 result=success run=8-1 runId=8 request=7 scope=check_suite by octocat at 2024-01-01T00:00:00Z",
                "create-tag: git.tag github.com/myorg/myapp:v1.2.0 by octocat",
                "delete-branch: ignored: A branch was created or deleted; its commits come with a push",
                "delete-tag: git.tag github.com/myorg/myapp:v1.2.0 deleted by octocat",
                "deployment-status: ignored: The event is not about code or a finished pipeline",
                "ping: ping",
                "pull-request-closed: pr github.com/myorg/myapp branch=feature commit=6f2d1c0 text=closed run=7 by octocat at 2024-01-01T00:00:00Z",
                "pull-request-merged: pr github.com/myorg/myapp branch=feature commit=fffffff text=merged run=7 by octocat at 2024-01-01T00:00:00Z",
                "push-branch: git.push github.com/myorg/myapp branch=feature/x commit=6f2d1c0 before=1a2b3c4 by octocat at 2024-01-01T00:00:00Z",
                "push-deleted: ignored: A branch was deleted",
                "push-tag: git.tag github.com/myorg/myapp:v1.2.0 commit=6f2d1c0 before=0000000 by octocat at 2024-01-01T00:00:00Z",
                "push-tag-deleted: git.tag github.com/myorg/myapp:v1.2.0 before=1a2b3c4 deleted by octocat",
                "release: release github.com/myorg/myapp:v1.2.0 by octocat at 2024-01-01T00:00:00Z",
                "release-draft: ignored: The action of the release is \"created\", and not \"published\"",
                "repository-dispatch: ignored: The event is not about code or a finished pipeline",
                "status: ignored: The event is not about code or a finished pipeline",
                "workflow-job: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=failure pipeline=test run=5-1 runId=30433642 scope=job by octocat at 2024-01-01T00:00:00Z",
                "workflow-run: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success pipeline=Release run=30433642-2 runId=30433642 by octocat at 2024-01-01T00:00:00Z",
                "workflow-run-fork: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success pipeline=Release run=30433642-2 runId=30433642 request= of a fork by octocat at 2024-01-01T00:00:00Z",
                "workflow-run-fork-deleted: ci.finished github.com/myorg/myapp branch=main commit=6f2d1c0 result=success pipeline=Release run=30433642-2 runId=30433642 request= of a fork by octocat at 2024-01-01T00:00:00Z",
                "workflow-run-pull-request: ci.finished github.com/myorg/myapp branch=feature commit=6f2d1c0 result=success pipeline=Release run=30433642-2 runId=30433642 request=7 by octocat at 2024-01-01T00:00:00Z",
                "workflow-run-requested: ignored: The run has not ended",
            ],
        );
    }

    #[test]
    fn a_new_tag_has_no_commit_and_awaits_the_push() {
        let body = include_str!("../../../../../events/inbound/github/create-tag.json");
        let [created] = &events(&GITHUB, body)[..] else { panic!("one event") };
        assert!(created.awaits_commit && !created.deleted && created.commit.is_none());
    }

    #[test]
    fn the_addresses_for_browsers_and_for_git_are_noted() {
        let body = include_str!("../../../../../events/inbound/github/push-branch.json");
        assert_eq!(
            events(&GITHUB, body)[0].addresses,
            [
                "https://github.com/myorg/myapp",
                "https://github.com/myorg/myapp.git",
                "git@github.com:myorg/myapp.git",
                "git://github.com/myorg/myapp.git",
            ]
        );
    }

    #[test]
    fn a_run_for_a_pull_request_has_the_repository_of_its_commits() {
        let of = |body: &str| events(&GITHUB, body)[0].pull_request.clone();
        let fork = of(include_str!("../../../../../events/inbound/github/workflow-run-fork.json")).unwrap();
        assert_eq!(fork.source_repository.as_deref(), Some("stranger/myapp"));
        assert_eq!(fork.fork, Some(true));
        let unknown = include_str!("../../../../../events/inbound/github/workflow-run-fork-deleted.json");
        assert_eq!(of(unknown).unwrap().fork, None);
        assert_eq!(of(include_str!("../../../../../events/inbound/github/workflow-run.json")), None);
    }

    #[test]
    fn a_run_of_another_repository_is_of_a_fork_whatever_its_event_is() {
        let body = include_str!("../../../../../events/inbound/github/workflow-run-fork.json");
        let body = body.replace("\"pull_request\"", "\"push\"");
        assert!(events(&GITHUB, &body)[0].pull_request.as_ref().unwrap().may_be_of_fork());
    }

    #[test]
    fn only_success_is_a_success_and_a_new_word_is_not() {
        for (word, expected) in [
            ("success", PipelineResult::Success),
            ("failure", PipelineResult::Failure),
            ("timed_out", PipelineResult::Failure),
            ("startup_failure", PipelineResult::Failure),
            ("cancelled", PipelineResult::Cancelled),
            ("skipped", PipelineResult::Skipped),
            ("neutral", PipelineResult::Skipped),
            ("action_required", PipelineResult::Other),
            ("stale", PipelineResult::Other),
            ("passed", PipelineResult::Other),
        ] {
            assert_eq!(CONCLUSIONS.read(word, &[]), expected, "{word}");
        }
    }
}
