//! GitLab: what a project, a group or an instance tells, each kind named in the body.

use serde_json::Value;

use super::forge::{host, is_commit, note_reference};
use super::preset::Preset;
use super::results::USUAL;
use super::sender::{AUTO, Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use super::time;
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::inbound::webhook_type::WebhookType;

/// The first is the same when GitLab repeats a delivery; `X-Gitlab-Event-UUID` is not told apart by hooks.
const DELIVERY_ID_HEADERS: [&str; 3] = ["idempotency-key", "webhook-id", "x-gitlab-webhook-uuid"];

/// In these states a pipeline or job has ended.
const ENDED: [&str; 4] = ["success", "failed", "canceled", "skipped"];

/// GitLab: the webhook of a project, a group or an instance. It sends the secret; with a signing token, it
/// signs.
pub(super) static GITLAB: Sender = Sender {
    name: "gitlab",
    provider: AUTO,
    title: "GitLab",
    types: &[WebhookType::GitlabWebhook],
    authentication: Preset::Token("X-Gitlab-Token"),
    alternatives: &[Preset::StandardWebhooks],
    recognises: Some(|body| has(body, "/object_kind")),
    read,
    results: USUAL,
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

fn found(request: &SenderRequest<'_>) -> Found {
    let read = match json::text(request.payload, "/object_kind") {
        Some("push" | "tag_push") => push(request),
        Some("pipeline") => pipeline(request),
        Some("build") => job(request),
        Some("release") => release(request),
        Some("merge_request") => merge_request(request),
        _ => Err("The event tells neither of code nor of a finished pipeline"),
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
    let name = path.or_else(in_homepage).ok_or("The body names no project")?;
    let mut event = request.event(kind, name);
    event.registry = host(homepage);
    let user = json::text(payload, "/user_username").or_else(|| json::text(payload, "/user/username"));
    event.pusher = user.map(str::to_owned);
    Ok(event)
}

fn push(request: &SenderRequest<'_>) -> Read {
    let payload = request.payload;
    let after = json::text(payload, "/after").unwrap_or_default();
    if !is_commit(after) {
        return Err("A branch or tag was deleted");
    }
    let mut event = event(request, EventKind::GitPush)?;
    if !note_reference(&mut event, json::text(payload, "/ref").unwrap_or_default()) {
        return Err("The reference is neither a branch nor a tag");
    }
    event.commit = Some(json::text(payload, "/checkout_sha").unwrap_or(after).to_owned());
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
    let name = text("/object_attributes/ref");
    if payload.pointer("/object_attributes/tag") == Some(&Value::Bool(true)) {
        event.tag = name;
    } else {
        event.branch = name;
    }
    event.result_text = Some(status.to_owned());
    event.commit = text("/object_attributes/sha");
    event.run = payload.pointer("/object_attributes/id").map(Value::to_string);
    event.pushed_at = payload.pointer("/object_attributes/finished_at").and_then(time::parse);
    event.url = json::url(payload, "/object_attributes/url");
    Ok(event)
}

fn job(request: &SenderRequest<'_>) -> Read {
    let payload = request.payload;
    let status = json::text(payload, "/build_status").unwrap_or_default();
    if !ENDED.contains(&status) {
        return Err("The job has not ended");
    }
    let mut event = event(request, EventKind::CiFinished)?;
    event.scope = Some("job".to_owned());
    let name = json::text(payload, "/ref").map(str::to_owned);
    if payload.get("tag") == Some(&Value::Bool(true)) {
        event.tag = name;
    } else {
        event.branch = name;
    }
    event.result_text = Some(status.to_owned());
    event.commit = json::text(payload, "/sha").map(str::to_owned);
    event.run = payload.get("build_id").map(Value::to_string);
    event.pushed_at = payload.get("build_finished_at").and_then(time::parse);
    Ok(event)
}

fn release(request: &SenderRequest<'_>) -> Read {
    let payload = request.payload;
    if json::text(payload, "/action").is_some_and(|action| action != "create") {
        return Err("The release was not published just now");
    }
    let mut event = event(request, EventKind::Release)?;
    event.tag = json::text(payload, "/tag").map(str::to_owned);
    event.commit = json::text(payload, "/commit/id").map(str::to_owned);
    event.pushed_at = payload.get("released_at").and_then(time::parse);
    event.url = json::url(payload, "/url");
    Ok(event)
}

fn merge_request(request: &SenderRequest<'_>) -> Read {
    let payload = request.payload;
    let mut event = event(request, EventKind::PullRequest)?;
    let text = |pointer: &str| json::text(payload, pointer).map(str::to_owned);
    let is_merged = json::text(payload, "/object_attributes/action") == Some("merge");
    event.result_text = if is_merged { Some("merged".to_owned()) } else { text("/object_attributes/action") };
    let commit =
        if is_merged { "/object_attributes/merge_commit_sha" } else { "/object_attributes/last_commit/id" };
    event.commit = text(commit);
    event.branch = text("/object_attributes/source_branch");
    event.pushed_at = payload.pointer("/object_attributes/updated_at").and_then(time::parse);
    event.run = payload.pointer("/object_attributes/iid").map(Value::to_string);
    event.url = json::url(payload, "/object_attributes/url");
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &GITLAB,
            &[
                "push: git.push gitlab.example.com/mygroup/sub/myapp branch=main commit=6f2d1c0 by dev at 2024-01-01T00:00:00Z",
                "push-deleted: ignored: A branch or tag was deleted",
                "tag-push: git.tag gitlab.example.com/mygroup/sub/myapp:v1.2.0 commit=6f2d1c0 by dev",
                "pipeline: ci.finished gitlab.example.com/mygroup/sub/myapp branch=main commit=6f2d1c0 result=success run=31 by dev at 2024-01-01T00:00:00Z",
                "pipeline-running: ignored: The pipeline has not ended",
                "job: ci.finished gitlab.example.com/mygroup/sub/myapp:v1.2.0 commit=6f2d1c0 result=failure text=failed run=9 scope=job by dev at 2024-01-01T00:00:00Z",
                "release: release gitlab.example.com/mygroup/sub/myapp:v1.2.0 commit=6f2d1c0 at 2024-01-01T00:00:00Z",
                "merge-request: pr gitlab.example.com/mygroup/sub/myapp branch=feature commit=6f2d1c0 text=merged run=3 by dev at 2024-01-01T00:00:00Z",
                "deployment: ignored: The event tells neither of code nor of a finished pipeline",
                "merge-request-opened: pr gitlab.example.com/mygroup/sub/myapp branch=feature commit=6f2d1c0 text=open run=3 by dev at 2024-01-01T00:00:00Z",
            ],
        );
    }
}
