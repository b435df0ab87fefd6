//! Bitbucket, Cloud and Data Center: a push may move several branches and tags.

use serde_json::Value;

use super::forge::{host, is_commit, note_reference};
use super::preset::Preset;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use super::time;
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::inbound::webhook_type::WebhookType;

/// The Cloud's, and Data Center's.
const DELIVERY_ID_HEADERS: [&str; 2] = ["x-request-uuid", "x-request-id"];

/// Bitbucket, Cloud or Data Center.
pub(super) static BITBUCKET: Sender = Sender {
    name: "bitbucket",
    provider: "bitbucket",
    title: "Bitbucket",
    types: &[WebhookType::CiPipeline],
    // Without `-256`, but SHA-256.
    authentication: Preset::hmac_sha256("X-Hub-Signature", Some("sha256=")),
    alternatives: &[],
    recognises: Some(|body| {
        has(body, "/push/changes") || has(body, "/pullrequest") || has(body, "/eventKey")
    }),
    read,
    results: USUAL,
    time_is_push: false,
    replay_protection: ReplayProtection::State,
    page: page!("bitbucket"),
    examples: &[
        example!("bitbucket", "push", "X-Event-Key" = "repo:push"),
        example!("bitbucket", "pull-request", "X-Event-Key" = "pullrequest:fulfilled"),
    ],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    let delivery_id = DELIVERY_ID_HEADERS.iter().find_map(|name| request.header(name)).map(str::to_owned);
    Reading { delivery_id, found: found(request) }
}

fn found(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    if payload.get("test") == Some(&Value::Bool(true)) {
        return Found::Ping;
    }
    let events: Vec<NormalisedEvent> = if let Some(changes) = list(payload, "/push/changes") {
        changes.iter().filter_map(|change| cloud_change(request, change)).collect()
    } else if let Some(changes) = list(payload, "/changes") {
        changes.iter().filter_map(|change| server_change(request, change)).collect()
    } else if payload.get("pullrequest").is_some() {
        cloud_pull_request(request).into_iter().collect()
    } else if payload.get("pullRequest").is_some() {
        server_pull_request(request).into_iter().collect()
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

fn cloud_event(request: &SenderRequest<'_>, kind: EventKind) -> Option<NormalisedEvent> {
    let payload = request.payload;
    let mut event = request.event(kind, json::text(payload, "/repository/full_name")?);
    event.registry = host(json::text(payload, "/repository/links/html/href"));
    let pusher = json::text(payload, "/actor/nickname").or_else(|| json::text(payload, "/actor/username"));
    event.pusher = pusher.map(str::to_owned);
    Some(event)
}

/// What is new of one change; a deletion has nothing new.
fn cloud_change(request: &SenderRequest<'_>, change: &Value) -> Option<NormalisedEvent> {
    let new = change.get("new").filter(|new| new.is_object())?;
    let name = json::text(new, "/name")?;
    let mut event = cloud_event(request, EventKind::GitPush)?;
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

fn cloud_pull_request(request: &SenderRequest<'_>) -> Option<NormalisedEvent> {
    let mut event = cloud_event(request, EventKind::PullRequest)?;
    let pull_request = request.payload.get("pullrequest")?;
    let state = json::text(pull_request, "/state").unwrap_or_default();
    let is_merged = state == "MERGED";
    event.result_text = Some(state.to_lowercase()).filter(|state| !state.is_empty());
    let commit = if is_merged { "/merge_commit/hash" } else { "/source/commit/hash" };
    event.commit = json::text(pull_request, commit).map(str::to_owned);
    event.branch = json::text(pull_request, "/source/branch/name").map(str::to_owned);
    event.run = pull_request.get("id").map(Value::to_string);
    event.pushed_at = pull_request.get("updated_on").and_then(time::parse);
    event.url = json::url(pull_request, "/links/html/href");
    Some(event)
}

fn server_event(request: &SenderRequest<'_>, kind: EventKind, repository: &Value) -> Option<NormalisedEvent> {
    let payload = request.payload;
    let (key, slug) = (json::text(repository, "/project/key")?, json::text(repository, "/slug")?);
    let mut event = request.event(kind, &format!("{key}/{slug}"));
    event.registry = host(json::text(repository, "/links/self/0/href"));
    event.pusher = json::text(payload, "/actor/name").map(str::to_owned);
    event.pushed_at = payload.get("date").and_then(time::parse);
    Some(event)
}

fn server_change(request: &SenderRequest<'_>, change: &Value) -> Option<NormalisedEvent> {
    let repository = request.payload.get("repository")?;
    let mut event = server_event(request, EventKind::GitPush, repository)?;
    let commit = json::text(change, "/toHash").filter(|commit| is_commit(commit))?;
    let is_deletion = json::text(change, "/type") == Some("DELETE");
    let reference = json::text(change, "/ref/id").or_else(|| json::text(change, "/refId"))?;
    if is_deletion || !note_reference(&mut event, reference) {
        return None;
    }
    event.commit = Some(commit.to_owned());
    Some(event)
}

fn server_pull_request(request: &SenderRequest<'_>) -> Option<NormalisedEvent> {
    let pull_request = request.payload.get("pullRequest")?;
    let repository = pull_request.pointer("/toRef/repository")?;
    let mut event = server_event(request, EventKind::PullRequest, repository)?;
    let state = json::text(pull_request, "/state").unwrap_or_default();
    event.result_text = Some(state.to_lowercase()).filter(|state| !state.is_empty());
    let merged = json::text(pull_request, "/properties/mergeCommit/id");
    event.commit = merged.or_else(|| json::text(pull_request, "/fromRef/latestCommit")).map(str::to_owned);
    event.branch = json::text(pull_request, "/fromRef/displayId").map(str::to_owned);
    event.run = pull_request.get("id").map(Value::to_string);
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &BITBUCKET,
            &[
                "push: git.push bitbucket.org/myteam/myapp branch=main commit=6f2d1c0 by dev at 2024-01-01T00:00:00Z",
                "push: git.tag bitbucket.org/myteam/myapp:v1.2.0 commit=6f2d1c0 by dev at 2024-01-01T00:00:00Z",
                "pull-request: pr bitbucket.org/myteam/myapp branch=feature commit=4f8f6de text=merged run=1 by dev",
                "server-push: git.tag git.example.com/TEAM/myapp:v1.2.0 commit=6f2d1c0 by dev at 2024-01-01T00:00:00Z",
                "server-ping: ping",
                "commit-status: ignored: The event tells of no branch, tag or pull request",
                "server-pull-request-merged: pr TEAM/myapp branch=feature commit=fffffff text=merged run=3 by dev at 2024-01-01T00:00:00Z",
            ],
        );
    }
}
