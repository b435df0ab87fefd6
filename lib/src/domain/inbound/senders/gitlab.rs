//! GitLab: the webhook of a project or a group, and the system hook of an instance. The body names the kind
//! of event.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::addresses::note_addresses;
use super::forge::{commit, deleted, host, is_zeros, note_reference};
use super::preset::Preset;
use super::results::Results;
use super::sender::{AUTO, Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::{has, is};
use super::time;
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent, RunOfPullRequest};
use crate::domain::inbound::webhook_type::WebhookType;

/// The first is the same when GitLab repeats a delivery. `X-Gitlab-Event-UUID` is not among them, because
/// several hooks of one event share it.
const DELIVERY_ID_HEADERS: [&str; 3] = ["idempotency-key", "webhook-id", "x-gitlab-webhook-uuid"];

/// In these states a pipeline or job has ended.
const ENDED: [&str; 4] = ["success", "failed", "canceled", "skipped"];

/// The same states, as results.
const STATES: Results =
    Results { success: &["success"], failure: &["failed"], cancelled: &["canceled"], skipped: &["skipped"] };

/// The kind of an event in a system hook, which has no `object_kind`.
const SYSTEM_EVENTS: [&str; 2] = ["push", "tag_push"];

/// How far GitLab's clock may be ahead of ours, in seconds.
const CLOCK_SECONDS: i64 = 300;

/// The members of a body that are addresses of its project.
const ADDRESSES: [&str; 8] = [
    "/project/web_url",
    "/project/git_http_url",
    "/project/git_ssh_url",
    "/project/url",
    "/repository/homepage",
    "/repository/git_http_url",
    "/repository/git_ssh_url",
    "/repository/url",
];

/// GitLab: the webhook of a project, a group or an instance. It sends the secret; with a signing token, it
/// signs.
pub(super) static GITLAB: Sender = Sender {
    name: "gitlab",
    provider: AUTO,
    title: "GitLab",
    types: &[WebhookType::GitlabWebhook],
    authentication: Preset::Token("X-Gitlab-Token"),
    alternatives: &[Preset::StandardWebhooks],
    recognises: Some(|body| has(body, "/object_kind") || is_of_system_hook(body)),
    read,
    results: STATES,
    time_is_push: false,
    replay_protection: ReplayProtection::State,
    page: page!("gitlab"),
    examples: &[
        example!("gitlab", "pipeline", "X-Gitlab-Event" = "Pipeline Hook"),
        example!("gitlab", "push", "X-Gitlab-Event" = "Push Hook"),
        example!("gitlab", "release", "X-Gitlab-Event" = "Release Hook"),
        example!("gitlab", "tag-push", "X-Gitlab-Event" = "Tag Push Hook"),
    ],
};

/// GitLab, for a config of a CI system.
pub(super) static GITLAB_CI: Sender = Sender {
    name: "gitlab-ci",
    provider: "gitlab-ci",
    title: "GitLab CI",
    types: &[WebhookType::CiPipeline, WebhookType::GitlabWebhook],
    recognises: None,
    examples: &[],
    ..GITLAB
};

fn read(request: &SenderRequest<'_>) -> Reading {
    let delivery_id = DELIVERY_ID_HEADERS.iter().find_map(|name| request.header(name)).map(str::to_owned);
    Reading { delivery_id, found: found(request) }
}

/// Whether a body is that of a push in a system hook.
fn is_of_system_hook(body: &Value) -> bool {
    SYSTEM_EVENTS.iter().any(|event| is(body, "/event_name", event))
        && has(body, "/project/path_with_namespace")
}

fn found(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let kind = json::text(payload, "/object_kind").or_else(|| json::text(payload, "/event_name"));
    let read = match kind {
        Some("push" | "tag_push") => push(request),
        Some("pipeline") => pipeline(request),
        Some("build") => job(request),
        Some("release") => release(request),
        Some("merge_request") => merge_request(request),
        _ => Err("The event is not about code or a finished pipeline"),
    };
    match read {
        Ok(event) => Found::Events(vec![event]),
        Err(reason) => Found::Ignored(reason.to_owned()),
    }
}

type Read = Result<NormalisedEvent, &'static str>;

fn event(request: &SenderRequest<'_>, kind: EventKind) -> Read {
    let payload = request.payload;
    let path = json::text(payload, "/project/path_with_namespace");
    let homepage =
        json::text(payload, "/project/web_url").or_else(|| json::text(payload, "/repository/homepage"));
    // A job's body has no path, but an address that ends in it.
    let in_homepage =
        || homepage.and_then(|url| url.split_once("://")?.1.split_once('/')).map(|(_, path)| path);
    let name = path.or_else(in_homepage).ok_or("The body does not name its project")?;
    let mut event = request.event(kind, name);
    event.registry = host(homepage);
    let user = json::text(payload, "/user_username").or_else(|| json::text(payload, "/user/username"));
    event.pusher = user.map(str::to_owned);
    note_addresses(&mut event, ADDRESSES.iter().map(|pointer| json::text(payload, pointer)));
    Ok(event)
}

fn push(request: &SenderRequest<'_>) -> Read {
    let payload = request.payload;
    let mut event = event(request, EventKind::GitPush)?;
    if !note_reference(&mut event, json::text(payload, "/ref").unwrap_or_default()) {
        return Err("The reference is neither a branch nor a tag");
    }
    event.before = json::text(payload, "/before").map(str::to_owned);
    let after = json::text(payload, "/after");
    let is_deletion = after.map_or_else(|| payload.get("checkout_sha") == Some(&Value::Null), is_zeros);
    if is_deletion {
        return deleted(event);
    }
    // For an annotated tag, `after` is the object of the tag.
    event.commit = commit(payload, "/checkout_sha").or_else(|| commit(payload, "/after"));
    if event.commit.is_none() {
        return Err("The push has no commit");
    }
    let commits = payload.get("commits").and_then(Value::as_array);
    let last = commits.and_then(|commits| commits.last()?.get("timestamp"));
    event.pushed_at = last.and_then(time::parse);
    Ok(event)
}

fn pipeline(request: &SenderRequest<'_>) -> Read {
    let payload = request.payload;
    let status = json::text(payload, "/object_attributes/status").unwrap_or_default();
    if !ENDED.contains(&status) {
        return Err("The pipeline has not ended");
    }
    let mut event = event(request, EventKind::CiFinished)?;
    let text = |pointer: &str| json::text(payload, pointer).map(str::to_owned);
    // A child pipeline is a part of its parent, which ends by itself.
    let is_child = is(payload, "/object_attributes/source", "parent_pipeline");
    event.scope = is_child.then(|| "child_pipeline".to_owned());
    let name = text("/object_attributes/ref");
    if payload.pointer("/object_attributes/tag") == Some(&Value::Bool(true)) {
        event.tag = name;
    } else {
        event.branch = name;
    }
    event.result_text = Some(status.to_owned());
    event.commit = commit(payload, "/object_attributes/sha");
    event.pipeline = text("/object_attributes/name");
    event.run = payload.pointer("/object_attributes/id").map(Value::to_string);
    event.run_id = payload.pointer("/source_pipeline/pipeline_id").filter(|_| is_child).map(Value::to_string);
    event.pull_request = merge_request_of_pipeline(payload);
    event.pushed_at = payload.pointer("/object_attributes/finished_at").and_then(time::parse);
    event.url = json::url(payload, "/object_attributes/url");
    Ok(event)
}

/// The merge request that a pipeline ran for. The body of a branch's pipeline has none, also if the branch
/// has an open merge request.
fn merge_request_of_pipeline(payload: &Value) -> Option<RunOfPullRequest> {
    let has_source = |source: &str| is(payload, "/object_attributes/source", source);
    let is_of_request = has_source("merge_request_event") || has_source("external_pull_request_event");
    let request = payload.get("merge_request").filter(|request| request.is_object());
    if request.is_none() && !is_of_request {
        return None;
    }
    let request = request.unwrap_or(&Value::Null);
    let number = |member: &str| request.get(member).and_then(Value::as_u64);
    let (source, target) = (number("source_project_id"), number("target_project_id"));
    let own = payload.pointer("/project/id").and_then(Value::as_u64);
    let own_path =
        json::text(payload, "/project/path_with_namespace").filter(|_| source.is_some() && source == own);
    let path = json::text(request, "/source/path_with_namespace").or(own_path);
    Some(RunOfPullRequest {
        number: number("iid"),
        source_repository: path.map(str::to_owned),
        fork: source.zip(target).map(|(source, target)| source != target),
    })
}

fn job(request: &SenderRequest<'_>) -> Read {
    let payload = request.payload;
    let status = json::text(payload, "/build_status").unwrap_or_default();
    if !ENDED.contains(&status) {
        return Err("The job has not ended");
    }
    let mut event = event(request, EventKind::CiFinished)?;
    event.scope = Some("job".to_owned());
    let name = json::text(payload, "/ref");
    // As in `refs/merge-requests/7/head`. Whether it is of a fork, the body does not say.
    let merge_request = name.and_then(|name| name.strip_prefix("refs/merge-requests/"));
    if let Some(rest) = merge_request {
        let number = rest.split('/').next().and_then(|number| number.parse().ok());
        event.reference = name.map(str::to_owned);
        event.pull_request = Some(RunOfPullRequest { number, ..RunOfPullRequest::default() });
    } else if payload.get("tag") == Some(&Value::Bool(true)) {
        event.tag = name.map(str::to_owned);
    } else {
        event.branch = name.map(str::to_owned);
    }
    event.result_text = Some(status.to_owned());
    event.commit = commit(payload, "/sha");
    event.pipeline = json::text(payload, "/build_name").map(str::to_owned);
    event.run = payload.get("build_id").map(Value::to_string);
    event.run_id = payload.get("pipeline_id").map(Value::to_string);
    event.pushed_at = payload.get("build_finished_at").and_then(time::parse);
    Ok(event)
}

fn release(request: &SenderRequest<'_>) -> Read {
    let payload = request.payload;
    if json::text(payload, "/action").is_some_and(|action| action != "create") {
        return Err("The release was changed or deleted, and not created");
    }
    let released_at = payload.get("released_at").and_then(time::parse);
    let is_upcoming =
        |at: &DateTime<Utc>| at.timestamp() > request.received_at.timestamp().saturating_add(CLOCK_SECONDS);
    if released_at.as_ref().is_some_and(is_upcoming) {
        return Err("The release is upcoming: its released_at is in the future");
    }
    let mut event = event(request, EventKind::Release)?;
    event.tag = json::text(payload, "/tag").map(str::to_owned);
    event.commit = commit(payload, "/commit/id");
    event.pushed_at = released_at;
    event.url = json::url(payload, "/url");
    Ok(event)
}

fn merge_request(request: &SenderRequest<'_>) -> Read {
    let payload = request.payload;
    let mut event = event(request, EventKind::PullRequest)?;
    let text = |pointer: &str| json::text(payload, pointer).map(str::to_owned);
    let is_merged = is(payload, "/object_attributes/action", "merge");
    event.result_text = if is_merged { Some("merged".to_owned()) } else { text("/object_attributes/action") };
    let of =
        if is_merged { "/object_attributes/merge_commit_sha" } else { "/object_attributes/last_commit/id" };
    event.commit = commit(payload, of);
    event.branch = text("/object_attributes/source_branch");
    event.pushed_at = payload.pointer("/object_attributes/updated_at").and_then(time::parse);
    event.run = payload.pointer("/object_attributes/iid").map(Value::to_string);
    event.url = json::url(payload, "/object_attributes/url");
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::{assert_bodies, at, events, reason};

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &GITLAB,
            &[
                "deployment: ignored: The event is not about code or a finished pipeline",
                "job: ci.finished gitlab.example.com/mygroup/sub/myapp:v1.2.0 commit=6f2d1c0 result=failure text=failed pipeline=test run=9 runId=31 scope=job by dev at 2024-01-01T00:00:00Z",
                "job-merge-request: ci.finished gitlab.example.com/mygroup/sub/myapp commit=6f2d1c0 result=success pipeline=test run=9 runId=31 request=3 of a fork scope=job by dev at 2024-01-01T00:00:00Z",
                "merge-request: pr gitlab.example.com/mygroup/sub/myapp branch=feature commit=6f2d1c0 text=merged run=3 by dev at 2024-01-01T00:00:00Z",
                "merge-request-opened: pr gitlab.example.com/mygroup/sub/myapp branch=feature commit=6f2d1c0 text=open run=3 by dev at 2024-01-01T00:00:00Z",
                "pipeline: ci.finished gitlab.example.com/mygroup/sub/myapp branch=main commit=6f2d1c0 result=success pipeline=Release run=31 by dev at 2024-01-01T00:00:00Z",
                "pipeline-child: ci.finished gitlab.example.com/mygroup/sub/myapp branch=main commit=6f2d1c0 result=success run=32 runId=31 scope=child_pipeline by dev at 2024-01-01T00:00:00Z",
                "pipeline-fork: ci.finished gitlab.example.com/mygroup/sub/myapp branch=main commit=6f2d1c0 result=success pipeline=Release run=31 request=3 of a fork by dev at 2024-01-01T00:00:00Z",
                "pipeline-merge-request: ci.finished gitlab.example.com/mygroup/sub/myapp branch=feature commit=6f2d1c0 result=success pipeline=Release run=31 request=3 by dev at 2024-01-01T00:00:00Z",
                "pipeline-running: ignored: The pipeline has not ended",
                "push: git.push gitlab.example.com/mygroup/sub/myapp branch=main commit=6f2d1c0 before=1a2b3c4 by dev at 2024-01-01T00:00:00Z",
                "push-deleted: ignored: A branch was deleted",
                "release: release gitlab.example.com/mygroup/sub/myapp:v1.2.0 commit=6f2d1c0 at 2024-01-01T00:00:00Z",
                "release-upcoming: ignored: The release is upcoming: its released_at is in the future",
                "release-update: ignored: The release was changed or deleted, and not created",
                "system-project-create: ignored: The event is not about code or a finished pipeline",
                "system-push: git.push gitlab.example.com/mygroup/sub/myapp branch=main commit=6f2d1c0 before=1a2b3c4 by dev at 2024-01-01T00:00:00Z",
                "system-tag-push: git.tag gitlab.example.com/mygroup/sub/myapp:v1.2.0 commit=6f2d1c0 before=0000000 by dev",
                "tag-push: git.tag gitlab.example.com/mygroup/sub/myapp:v1.2.0 commit=6f2d1c0 before=0000000 by dev",
                "tag-push-deleted: git.tag gitlab.example.com/mygroup/sub/myapp:v1.2.0 before=1a2b3c4 deleted by dev",
            ],
        );
    }

    #[test]
    fn a_fork_is_unknown_unless_the_body_has_both_projects() {
        let of = |body: &str| events(&GITLAB, body)[0].pull_request.clone().unwrap();
        let own = of(include_str!("../../../../../events/inbound/gitlab/pipeline-merge-request.json"));
        assert_eq!((own.number, own.fork), (Some(3), Some(false)));
        assert_eq!(own.source_repository.as_deref(), Some("mygroup/sub/myapp"));
        let fork = of(include_str!("../../../../../events/inbound/gitlab/pipeline-fork.json"));
        assert_eq!((fork.number, fork.fork), (Some(3), Some(true)));
        let job = of(include_str!("../../../../../events/inbound/gitlab/job-merge-request.json"));
        assert_eq!((job.number, job.fork), (Some(3), None));
    }

    #[test]
    fn the_addresses_of_pages_and_of_ssh_are_noted() {
        let body = include_str!("../../../../../events/inbound/gitlab/push.json");
        assert_eq!(
            events(&GITLAB, body)[0].addresses,
            [
                "https://gitlab.example.com/mygroup/sub/myapp",
                "https://gitlab.example.com/mygroup/sub/myapp.git",
                "git@ssh.gitlab.example.com:mygroup/sub/myapp.git",
            ]
        );
    }

    #[test]
    fn a_deletion_in_a_repository_of_the_sha_256_format_has_no_commit() {
        let body = include_str!("../../../../../events/inbound/gitlab/tag-push-deleted.json");
        let body = body.replace(&"0".repeat(40), &"0".repeat(64));
        let [deleted] = &events(&GITLAB, &body)[..] else { panic!("one event") };
        assert!(deleted.deleted && deleted.commit.is_none());
    }

    #[test]
    fn a_release_is_not_upcoming_because_gitlabs_clock_is_ahead() {
        let body = include_str!("../../../../../events/inbound/gitlab/release.json");
        let at = |minutes| {
            let at = at() + chrono::Duration::minutes(minutes);
            body.replace("2024-01-01 00:00:00 UTC", &at.to_rfc3339())
        };
        assert_eq!(events(&GITLAB, &at(4)).len(), 1);
        assert!(reason(&GITLAB, &at(6)).starts_with("The release is upcoming"));
    }
}
