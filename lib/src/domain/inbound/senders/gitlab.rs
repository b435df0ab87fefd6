//! GitLab: what a project, a group or an instance tells, each kind named in the body.

use serde_json::Value;

use super::forge::{host, is_commit, note_reference};
use super::{Found, Reading, SenderRequest, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};

/// The first is the same when GitLab repeats a delivery; `X-Gitlab-Event-UUID` is not told apart by hooks.
const DELIVERY_ID_HEADERS: [&str; 3] = ["idempotency-key", "webhook-id", "x-gitlab-webhook-uuid"];

/// In these states a pipeline or job has ended.
const ENDED: [&str; 4] = ["success", "failed", "canceled", "skipped"];

pub(super) fn read(delivery: &SenderRequest<'_>) -> Reading {
    let delivery_id = DELIVERY_ID_HEADERS.iter().find_map(|name| delivery.header(name)).map(str::to_owned);
    Reading { delivery_id, found: found(delivery) }
}

fn found(delivery: &SenderRequest<'_>) -> Found {
    let read = match json::text(delivery.payload, "/object_kind") {
        Some("push" | "tag_push") => push(delivery),
        Some("pipeline") => pipeline(delivery),
        Some("build") => job(delivery),
        Some("release") => release(delivery),
        Some("merge_request") => merge_request(delivery),
        _ => Err("The event tells neither of code nor of a finished pipeline"),
    };
    match read {
        Ok(event) => Found::Events(vec![event]),
        Err(reason) => Found::Ignored(reason.to_owned()),
    }
}

type Read = Result<NormalisedEvent, &'static str>;

fn event(delivery: &SenderRequest<'_>, kind: EventKind) -> Read {
    let payload = delivery.payload;
    let path = json::text(payload, "/project/path_with_namespace");
    let homepage =
        json::text(payload, "/project/web_url").or_else(|| json::text(payload, "/repository/homepage"));
    // A job's body has no path, but an address that ends in it.
    let in_homepage =
        || homepage.and_then(|url| url.split_once("://")?.1.split_once('/')).map(|(_, path)| path);
    let name = path.or_else(in_homepage).ok_or("The body names no project")?;
    let mut event = delivery.event(kind, name);
    event.registry = host(homepage);
    let user = json::text(payload, "/user_username").or_else(|| json::text(payload, "/user/username"));
    event.pusher = user.map(str::to_owned);
    Ok(event)
}

fn push(delivery: &SenderRequest<'_>) -> Read {
    let payload = delivery.payload;
    let after = json::text(payload, "/after").unwrap_or_default();
    if !is_commit(after) {
        return Err("A branch or tag was deleted");
    }
    let mut event = event(delivery, EventKind::GitPush)?;
    if !note_reference(&mut event, json::text(payload, "/ref").unwrap_or_default()) {
        return Err("The reference is neither a branch nor a tag");
    }
    event.commit = Some(json::text(payload, "/checkout_sha").unwrap_or(after).to_owned());
    let commits = payload.get("commits").and_then(Value::as_array);
    let last = commits.and_then(|commits| commits.last()?.get("timestamp"));
    event.pushed_at = last.and_then(time::parse);
    Ok(event)
}

fn pipeline(delivery: &SenderRequest<'_>) -> Read {
    let payload = delivery.payload;
    let status = json::text(payload, "/object_attributes/status").unwrap_or_default();
    if !ENDED.contains(&status) {
        return Err("The pipeline has not ended");
    }
    let mut event = event(delivery, EventKind::CiFinished)?;
    let text = |pointer: &str| json::text(payload, pointer).map(str::to_owned);
    let name = text("/object_attributes/ref");
    if payload.pointer("/object_attributes/tag") == Some(&Value::Bool(true)) {
        event.tag = name;
    } else {
        event.branch = name;
    }
    event.result = Some(status.to_owned());
    event.commit = text("/object_attributes/sha");
    event.run = payload.pointer("/object_attributes/id").map(Value::to_string);
    event.pushed_at = payload.pointer("/object_attributes/finished_at").and_then(time::parse);
    event.url = json::url(payload, "/object_attributes/url");
    Ok(event)
}

fn job(delivery: &SenderRequest<'_>) -> Read {
    let payload = delivery.payload;
    let status = json::text(payload, "/build_status").unwrap_or_default();
    if !ENDED.contains(&status) {
        return Err("The job has not ended");
    }
    let mut event = event(delivery, EventKind::CiFinished)?;
    event.scope = Some("job".to_owned());
    let name = json::text(payload, "/ref").map(str::to_owned);
    if payload.get("tag") == Some(&Value::Bool(true)) {
        event.tag = name;
    } else {
        event.branch = name;
    }
    event.result = Some(status.to_owned());
    event.commit = json::text(payload, "/sha").map(str::to_owned);
    event.run = payload.get("build_id").map(Value::to_string);
    event.pushed_at = payload.get("build_finished_at").and_then(time::parse);
    Ok(event)
}

fn release(delivery: &SenderRequest<'_>) -> Read {
    let payload = delivery.payload;
    if json::text(payload, "/action").is_some_and(|action| action != "create") {
        return Err("The release was not published just now");
    }
    let mut event = event(delivery, EventKind::Release)?;
    event.tag = json::text(payload, "/tag").map(str::to_owned);
    event.commit = json::text(payload, "/commit/id").map(str::to_owned);
    event.pushed_at = payload.get("released_at").and_then(time::parse);
    event.url = json::url(payload, "/url");
    Ok(event)
}

fn merge_request(delivery: &SenderRequest<'_>) -> Read {
    let payload = delivery.payload;
    let mut event = event(delivery, EventKind::PullRequest)?;
    let text = |pointer: &str| json::text(payload, pointer).map(str::to_owned);
    let is_merged = json::text(payload, "/object_attributes/action") == Some("merge");
    event.result = if is_merged { Some("merged".to_owned()) } else { text("/object_attributes/action") };
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
    use super::super::tests::lines;
    use crate::domain::inbound::provider::{Provider, WebhookType};

    #[test]
    fn each_of_its_bodies_says_what_it_should() {
        for (body, webhook_type, provider, expected) in [
            (
                include_str!("../../../../../events/inbound/gitlab/push.json"),
                WebhookType::GitlabWebhook,
                Provider::Auto,
                vec![
                    "git.push gitlab.example.com/mygroup/sub/myapp branch=main commit=6f2d1c0 by dev at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/gitlab/push-deleted.json"),
                WebhookType::GitlabWebhook,
                Provider::Auto,
                vec!["nothing: A branch or tag was deleted"],
            ),
            (
                include_str!("../../../../../events/inbound/gitlab/tag-push.json"),
                WebhookType::GitlabWebhook,
                Provider::Auto,
                vec!["git.tag gitlab.example.com/mygroup/sub/myapp:v1.2.0 commit=6f2d1c0 by dev"],
            ),
            (
                include_str!("../../../../../events/inbound/gitlab/pipeline.json"),
                WebhookType::CiPipeline,
                Provider::GitlabCi,
                vec![
                    "ci.finished gitlab.example.com/mygroup/sub/myapp branch=main commit=6f2d1c0 result=success run=31 by dev at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/gitlab/pipeline-running.json"),
                WebhookType::CiPipeline,
                Provider::GitlabCi,
                vec!["nothing: The pipeline has not ended"],
            ),
            (
                include_str!("../../../../../events/inbound/gitlab/job.json"),
                WebhookType::CiPipeline,
                Provider::GitlabCi,
                vec![
                    "ci.finished gitlab.example.com/mygroup/sub/myapp:v1.2.0 commit=6f2d1c0 result=failed run=9 scope=job by dev at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/gitlab/release.json"),
                WebhookType::GitlabWebhook,
                Provider::Auto,
                vec![
                    "release gitlab.example.com/mygroup/sub/myapp:v1.2.0 commit=6f2d1c0 at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/gitlab/merge-request.json"),
                WebhookType::GitlabWebhook,
                Provider::Auto,
                vec![
                    "pr gitlab.example.com/mygroup/sub/myapp branch=feature commit=6f2d1c0 result=merged run=3 by dev at 2024-01-01T00:00:00Z",
                ],
            ),
        ] {
            assert_eq!(lines(webhook_type, provider, body), expected, "{body}");
        }
    }
}
