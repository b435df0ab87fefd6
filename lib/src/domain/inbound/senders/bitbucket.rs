//! Bitbucket, Cloud and Data Center: a push may move several branches and tags.

use serde_json::Value;

use super::forge::{host, is_commit, note_reference};
use super::{Found, Reading, SenderRequest, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};

/// The Cloud's, and Data Center's.
const DELIVERY_ID_HEADERS: [&str; 2] = ["x-request-uuid", "x-request-id"];

pub(super) fn read(delivery: &SenderRequest<'_>) -> Reading {
    let delivery_id = DELIVERY_ID_HEADERS.iter().find_map(|name| delivery.header(name)).map(str::to_owned);
    Reading { delivery_id, found: found(delivery) }
}

fn found(delivery: &SenderRequest<'_>) -> Found {
    let payload = delivery.payload;
    if payload.get("test") == Some(&Value::Bool(true)) {
        return Found::Ping;
    }
    let events: Vec<NormalisedEvent> = if let Some(changes) = list(payload, "/push/changes") {
        changes.iter().filter_map(|change| cloud_change(delivery, change)).collect()
    } else if let Some(changes) = list(payload, "/changes") {
        changes.iter().filter_map(|change| server_change(delivery, change)).collect()
    } else if payload.get("pullrequest").is_some() {
        cloud_pull_request(delivery).into_iter().collect()
    } else if payload.get("pullRequest").is_some() {
        server_pull_request(delivery).into_iter().collect()
    } else {
        Vec::new()
    };
    if events.is_empty() {
        return Found::Ignored("The event tells of no branch, tag or pull request".to_owned());
    }
    Found::Events(events)
}

fn list<'a>(value: &'a Value, pointer: &str) -> Option<&'a Vec<Value>> {
    value.pointer(pointer)?.as_array()
}

fn cloud_event(delivery: &SenderRequest<'_>, kind: EventKind) -> Option<NormalisedEvent> {
    let payload = delivery.payload;
    let mut event = delivery.event(kind, json::text(payload, "/repository/full_name")?);
    event.registry = host(json::text(payload, "/repository/links/html/href"));
    let pusher = json::text(payload, "/actor/nickname").or_else(|| json::text(payload, "/actor/username"));
    event.pusher = pusher.map(str::to_owned);
    Some(event)
}

/// What is new of one change; a deletion has nothing new.
fn cloud_change(delivery: &SenderRequest<'_>, change: &Value) -> Option<NormalisedEvent> {
    let new = change.get("new").filter(|new| new.is_object())?;
    let name = json::text(new, "/name")?;
    let mut event = cloud_event(delivery, EventKind::GitPush)?;
    match json::text(new, "/type")? {
        "tag" | "annotated_tag" => note_reference(&mut event, &format!("refs/tags/{name}")),
        "branch" | "named_branch" => note_reference(&mut event, &format!("refs/heads/{name}")),
        _ => return None,
    };
    event.commit = json::text(new, "/target/hash").map(str::to_owned);
    event.pushed_at = new.pointer("/target/date").and_then(time::parse);
    event.url = json::url(new, "/links/html/href");
    Some(event)
}

fn cloud_pull_request(delivery: &SenderRequest<'_>) -> Option<NormalisedEvent> {
    let mut event = cloud_event(delivery, EventKind::PullRequest)?;
    let request = delivery.payload.get("pullrequest")?;
    let state = json::text(request, "/state").unwrap_or_default();
    let is_merged = state == "MERGED";
    event.result = Some(state.to_lowercase()).filter(|state| !state.is_empty());
    let commit = if is_merged { "/merge_commit/hash" } else { "/source/commit/hash" };
    event.commit = json::text(request, commit).map(str::to_owned);
    event.branch = json::text(request, "/source/branch/name").map(str::to_owned);
    event.run = request.get("id").map(Value::to_string);
    event.pushed_at = request.get("updated_on").and_then(time::parse);
    event.url = json::url(request, "/links/html/href");
    Some(event)
}

fn server_event(
    delivery: &SenderRequest<'_>,
    kind: EventKind,
    repository: &Value,
) -> Option<NormalisedEvent> {
    let payload = delivery.payload;
    let (key, slug) = (json::text(repository, "/project/key")?, json::text(repository, "/slug")?);
    let mut event = delivery.event(kind, &format!("{key}/{slug}"));
    event.registry = host(json::text(repository, "/links/self/0/href"));
    event.pusher = json::text(payload, "/actor/name").map(str::to_owned);
    event.pushed_at = payload.get("date").and_then(time::parse);
    Some(event)
}

fn server_change(delivery: &SenderRequest<'_>, change: &Value) -> Option<NormalisedEvent> {
    let repository = delivery.payload.get("repository")?;
    let mut event = server_event(delivery, EventKind::GitPush, repository)?;
    let commit = json::text(change, "/toHash").filter(|commit| is_commit(commit))?;
    let is_deletion = json::text(change, "/type") == Some("DELETE");
    let reference = json::text(change, "/ref/id").or_else(|| json::text(change, "/refId"))?;
    if is_deletion || !note_reference(&mut event, reference) {
        return None;
    }
    event.commit = Some(commit.to_owned());
    Some(event)
}

fn server_pull_request(delivery: &SenderRequest<'_>) -> Option<NormalisedEvent> {
    let request = delivery.payload.get("pullRequest")?;
    let repository = request.pointer("/toRef/repository")?;
    let mut event = server_event(delivery, EventKind::PullRequest, repository)?;
    let state = json::text(request, "/state").unwrap_or_default();
    event.result = Some(state.to_lowercase()).filter(|state| !state.is_empty());
    let merged = json::text(request, "/properties/mergeCommit/id");
    event.commit = merged.or_else(|| json::text(request, "/fromRef/latestCommit")).map(str::to_owned);
    event.branch = json::text(request, "/fromRef/displayId").map(str::to_owned);
    event.run = request.get("id").map(Value::to_string);
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::super::tests::lines;
    use crate::domain::inbound::provider::{Provider, WebhookType};

    #[test]
    fn each_of_its_bodies_says_what_it_should() {
        for (body, webhook_type, provider, expected) in [
            (
                include_str!("../../../../../events/inbound/bitbucket/push.json"),
                WebhookType::CiPipeline,
                Provider::Bitbucket,
                vec![
                    "git.push bitbucket.org/myteam/myapp branch=main commit=6f2d1c0 by dev at 2024-01-01T00:00:00Z",
                    "git.tag bitbucket.org/myteam/myapp:v1.2.0 commit=6f2d1c0 by dev at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/bitbucket/pull-request.json"),
                WebhookType::CiPipeline,
                Provider::Bitbucket,
                vec![
                    "pr bitbucket.org/myteam/myapp branch=feature commit=4f8f6de result=merged run=1 by dev",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/bitbucket/server-push.json"),
                WebhookType::CiPipeline,
                Provider::Bitbucket,
                vec![
                    "git.tag git.example.com/TEAM/myapp:v1.2.0 commit=6f2d1c0 by dev at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/bitbucket/server-ping.json"),
                WebhookType::CiPipeline,
                Provider::Bitbucket,
                vec!["ping"],
            ),
        ] {
            assert_eq!(lines(webhook_type, provider, body), expected, "{body}");
        }
    }
}
