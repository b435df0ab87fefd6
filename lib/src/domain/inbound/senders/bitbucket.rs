//! Bitbucket, Cloud and Data Center: a push may move several branches and tags.

use serde_json::Value;

use super::addresses::note_addresses;
use super::forge::{commit, deleted, host, note_reference};
use super::preset::Preset;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use super::time;
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::inbound::webhook_type::WebhookType;

/// The `before` of a branch or tag that is new in Bitbucket Cloud, whose body has `old: null`.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// That of Bitbucket Cloud, and that of Data Center.
const DELIVERY_ID_HEADERS: [&str; 2] = ["x-request-uuid", "x-request-id"];

/// Bitbucket, Cloud or Data Center.
pub(super) static BITBUCKET: Sender = Sender {
    name: "bitbucket",
    provider: "bitbucket",
    title: "Bitbucket",
    types: &[WebhookType::CiPipeline],
    // The header's name lacks `-256`, but it is SHA-256.
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
    let changes = |changes: &[Value], read: fn(&SenderRequest<'_>, &Value) -> Option<NormalisedEvent>| {
        let events: Vec<_> = changes.iter().filter_map(|change| read(request, change)).collect();
        if events.is_empty() {
            return Found::Ignored("No branch or tag was pushed, and no tag was deleted".to_owned());
        }
        Found::Events(events)
    };
    if let Some(list) = list(payload, "/push/changes") {
        return changes(list, cloud_change);
    }
    if let Some(list) = list(payload, "/changes") {
        return changes(list, server_change);
    }
    let pull_request = cloud_pull_request(request).or_else(|| server_pull_request(request));
    pull_request.map_or_else(
        || Found::Ignored("The event is not about a branch, a tag or a pull request".to_owned()),
        |event| Found::Events(vec![event]),
    )
}

fn list<'a>(value: &'a Value, pointer: &str) -> Option<&'a [Value]> {
    value.pointer(pointer)?.as_array().map(Vec::as_slice)
}

fn cloud_event(request: &SenderRequest<'_>, kind: EventKind) -> Option<NormalisedEvent> {
    let payload = request.payload;
    let mut event = request.event(kind, json::text(payload, "/repository/full_name")?);
    let page = json::text(payload, "/repository/links/html/href");
    event.registry = host(page);
    let clone = payload.get("repository").map(clone_addresses).unwrap_or_default();
    note_addresses(&mut event, std::iter::once(page).chain(clone));
    let pusher = json::text(payload, "/actor/nickname").or_else(|| json::text(payload, "/actor/username"));
    event.pusher = pusher.map(str::to_owned);
    Some(event)
}

/// The addresses in a repository's `links.clone`.
fn clone_addresses(repository: &Value) -> Vec<Option<&str>> {
    let links = list(repository, "/links/clone").unwrap_or_default();
    links.iter().map(|link| json::text(link, "/href")).collect()
}

/// One change of a push. In a deletion, `new` is null.
fn cloud_change(request: &SenderRequest<'_>, change: &Value) -> Option<NormalisedEvent> {
    let is_there = |member: &str| change.get(member).filter(|side| side.is_object());
    let (new, old) = (is_there("new"), is_there("old"));
    let side = new.or(old)?;
    let name = json::text(side, "/name")?;
    let mut event = cloud_event(request, EventKind::GitPush)?;
    match json::text(side, "/type")? {
        "tag" | "annotated_tag" => note_reference(&mut event, &format!("refs/tags/{name}")),
        "branch" | "named_branch" => note_reference(&mut event, &format!("refs/heads/{name}")),
        _ => return None,
    };
    event.before = match old {
        Some(old) => commit(old, "/target/hash"),
        None => Some(NO_COMMIT.to_owned()),
    };
    let Some(new) = new else { return deleted(event).ok() };
    event.commit = commit(new, "/target/hash");
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
    let of = if is_merged { "/merge_commit/hash" } else { "/source/commit/hash" };
    event.commit = commit(pull_request, of);
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
    let page = json::text(repository, "/links/self/0/href");
    event.registry = host(page);
    let page = page.map(|page| page.strip_suffix("/browse").unwrap_or(page));
    note_addresses(&mut event, std::iter::once(page).chain(clone_addresses(repository)));
    event.pusher = json::text(payload, "/actor/name").map(str::to_owned);
    // The time of the request itself, and not that of a commit.
    event.pushed_at = payload.get("date").and_then(time::parse);
    event.time_is_push = event.pushed_at.is_some();
    Some(event)
}

fn server_change(request: &SenderRequest<'_>, change: &Value) -> Option<NormalisedEvent> {
    let repository = request.payload.get("repository")?;
    let mut event = server_event(request, EventKind::GitPush, repository)?;
    let reference = json::text(change, "/ref/id").or_else(|| json::text(change, "/refId"))?;
    if !note_reference(&mut event, reference) {
        return None;
    }
    event.before = json::text(change, "/fromHash").map(str::to_owned);
    if json::text(change, "/type") == Some("DELETE") {
        return deleted(event).ok();
    }
    event.commit = Some(commit(change, "/toHash")?);
    Some(event)
}

fn server_pull_request(request: &SenderRequest<'_>) -> Option<NormalisedEvent> {
    let pull_request = request.payload.get("pullRequest")?;
    let repository = pull_request.pointer("/toRef/repository")?;
    let mut event = server_event(request, EventKind::PullRequest, repository)?;
    let state = json::text(pull_request, "/state").unwrap_or_default();
    event.result_text = Some(state.to_lowercase()).filter(|state| !state.is_empty());
    let merged = commit(pull_request, "/properties/mergeCommit/id");
    event.commit = merged.or_else(|| commit(pull_request, "/fromRef/latestCommit"));
    event.branch = json::text(pull_request, "/fromRef/displayId").map(str::to_owned);
    event.run = pull_request.get("id").map(Value::to_string);
    Some(event)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::inbound::component_match::lookup_names;
    use crate::domain::inbound::normalise::tests::{assert_bodies, events};

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &BITBUCKET,
            &[
                "commit-status: ignored: The event is not about a branch, a tag or a pull request",
                "pull-request: pr bitbucket.org/myteam/myapp branch=feature commit=4f8f6de text=merged run=1 by dev",
                "push: git.push bitbucket.org/myteam/myapp branch=main commit=6f2d1c0 before=1a2b3c4 by dev at 2024-01-01T00:00:00Z",
                "push: git.tag bitbucket.org/myteam/myapp:v1.2.0 commit=6f2d1c0 before=0000000 by dev at 2024-01-01T00:00:00Z",
                "push-branch-deleted: ignored: No branch or tag was pushed, and no tag was deleted",
                "push-tag-deleted: git.tag bitbucket.org/myteam/myapp:v1.2.0 before=6f2d1c0 deleted by dev",
                "server-ping: ping",
                "server-pull-request-merged: pr TEAM/myapp branch=feature commit=fffffff text=merged run=3 by dev at 2024-01-01T00:00:00Z",
                "server-push: git.tag git.example.com/TEAM/myapp:v1.2.0 commit=6f2d1c0 before=0000000 by dev at 2024-01-01T00:00:00Z",
                "server-push-tag-deleted: git.tag git.example.com/TEAM/myapp:v1.2.0 before=6f2d1c0 deleted by dev at 2024-01-01T00:00:00Z",
            ],
        );
    }

    #[test]
    fn only_data_center_sends_the_time_of_the_push() {
        let cloud = events(&BITBUCKET, include_str!("../../../../../events/inbound/bitbucket/push.json"));
        let server =
            events(&BITBUCKET, include_str!("../../../../../events/inbound/bitbucket/server-push.json"));
        assert!(!cloud[0].time_is_push && server[0].time_is_push);
    }

    #[test]
    fn data_center_has_other_paths_for_pages_and_for_git() {
        let server =
            events(&BITBUCKET, include_str!("../../../../../events/inbound/bitbucket/server-push.json"));
        assert_eq!(
            server[0].addresses,
            [
                "https://git.example.com/projects/TEAM/repos/myapp",
                "https://git.example.com/scm/team/myapp.git",
                "ssh://git@git.example.com:7999/team/myapp.git",
            ]
        );
        // One query for each path: see `lookup_names`.
        let paths = |name: &String| name.split_once('/').map(|(_, path)| path.to_owned());
        let paths: BTreeSet<_> = lookup_names(&server[0]).iter().filter_map(paths).collect();
        assert_eq!(paths.len(), 3);
    }
}
