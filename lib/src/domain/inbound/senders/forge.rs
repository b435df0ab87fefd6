//! What GitHub, Gitea and Forgejo tell alike: pushes, tags, releases and pull requests.
//!
//! Which of them a body is, its own shape says: the header that names the event is not signed.

use serde_json::Value;

use super::sender::{Found, SenderRequest};
use super::{reference, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};

/// The commit of nothing: what a deleted branch or tag points at.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// What a body says, if its shape is one of these.
pub(super) fn read(request: &SenderRequest<'_>) -> Option<Found> {
    let payload = request.payload;
    let has = |member: &str| payload.get(member).is_some_and(|value| !value.is_null());
    if has("ref_type") {
        return Some(create(request));
    }
    if has("ref") && has("after") {
        return Some(push(request));
    }
    if has("release") {
        return Some(release(request));
    }
    if has("pull_request") && has("action") {
        return Some(pull_request(request));
    }
    None
}

/// An event of the body's repository, with the user who caused it.
pub(super) fn event(request: &SenderRequest<'_>, kind: EventKind) -> Result<NormalisedEvent, Found> {
    let payload = request.payload;
    let Some(name) = json::text(payload, "/repository/full_name") else {
        return Err(Found::Ignored("The body names no repository".to_owned()));
    };
    let mut event = request.event(kind, name);
    event.registry = host(json::text(payload, "/repository/html_url"));
    event.pusher = json::text(payload, "/sender/login").map(str::to_owned);
    Ok(event)
}

/// The host of an address.
pub(super) fn host(url: Option<&str>) -> Option<String> {
    let (host, _) = reference::without_scheme(url?).split_once('/')?;
    Some(host.to_owned()).filter(|host| !host.is_empty())
}

/// Host and name of a repository by any address that git takes: `https://host/org/app.git`,
/// `git@host:org/app`, `ssh://git@host:22/org/app`. None where nothing is named.
pub(super) fn repository_of_url(url: &str) -> Option<(Option<&str>, &str)> {
    let (authority, path) = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?,
        None => url.split_once(':').filter(|(authority, _)| authority.contains('@'))?,
    };
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = if url.starts_with("ssh://") { host.split(':').next().unwrap_or(host) } else { host };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    (!path.is_empty()).then_some((Some(host).filter(|host| !host.is_empty()), path))
}

/// Whether a commit is one, and not the mark that there is none.
pub(super) fn is_commit(text: &str) -> bool {
    text != NO_COMMIT && text.len() >= 7 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Notes what a full reference names: a branch, or a tag. Whether it is one of the two.
pub(super) fn note_reference(event: &mut NormalisedEvent, reference: &str) -> bool {
    event.reference = Some(reference.to_owned());
    if let Some(tag) = reference.strip_prefix("refs/tags/") {
        event.kind = EventKind::GitTag;
        event.tag = Some(tag.to_owned());
    } else if let Some(branch) = reference.strip_prefix("refs/heads/") {
        event.kind = EventKind::GitPush;
        event.branch = Some(branch.to_owned());
    } else {
        return false;
    }
    true
}

fn push(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let after = json::text(payload, "/after").unwrap_or_default();
    if payload.get("deleted") == Some(&Value::Bool(true)) || !is_commit(after) {
        return Found::Ignored("A branch or tag was deleted".to_owned());
    }
    let mut event = match event(request, EventKind::GitPush) {
        Ok(event) => event,
        Err(found) => return found,
    };
    if !note_reference(&mut event, json::text(payload, "/ref").unwrap_or_default()) {
        return Found::Ignored("The reference is neither a branch nor a tag".to_owned());
    }
    // Of an annotated tag `after` is the tag's own object, and the head commit what it points at.
    let commit = json::text(payload, "/head_commit/id").unwrap_or(after);
    event.commit = Some(commit.to_owned());
    let last = payload.pointer("/head_commit/timestamp").or_else(|| payload.pointer("/commits/0/timestamp"));
    event.pushed_at = last.and_then(time::parse);
    let pusher = json::text(payload, "/pusher/login").or_else(|| json::text(payload, "/pusher/name"));
    event.pusher = pusher.map(str::to_owned).or(event.pusher);
    event.url = json::url(payload, "/compare").or_else(|| json::url(payload, "/compare_url"));
    Found::Events(vec![event])
}

/// A new tag; new branches are told by pushes as well.
fn create(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let name = json::text(payload, "/ref").unwrap_or_default();
    if json::text(payload, "/ref_type") != Some("tag") || name.is_empty() {
        return Found::Ignored("What was created or deleted is no tag".to_owned());
    }
    if payload.get("pusher_type").is_some() && request.header("x-github-event") == Some("delete") {
        return Found::Ignored("A tag was deleted".to_owned());
    }
    let mut event = match event(request, EventKind::GitTag) {
        Ok(event) => event,
        Err(found) => return found,
    };
    event.tag = Some(name.trim_start_matches("refs/tags/").to_owned());
    event.commit = json::text(payload, "/sha").filter(|sha| is_commit(sha)).map(str::to_owned);
    Found::Events(vec![event])
}

/// A published release. GitHub tells of one publication by up to three actions, which are one version.
fn release(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let action = json::text(payload, "/action").unwrap_or("published");
    if !matches!(action, "published" | "released" | "prereleased") {
        return Found::Ignored("The release was not published just now".to_owned());
    }
    if payload.pointer("/release/draft") == Some(&Value::Bool(true)) {
        return Found::Ignored("The release is a draft".to_owned());
    }
    let mut event = match event(request, EventKind::Release) {
        Ok(event) => event,
        Err(found) => return found,
    };
    event.tag = json::text(payload, "/release/tag_name").map(str::to_owned);
    event.prerelease = payload.pointer("/release/prerelease").and_then(Value::as_bool);
    event.pushed_at = payload.pointer("/release/published_at").and_then(time::parse);
    let target = json::text(payload, "/release/target_commitish");
    event.commit = target.filter(|target| target.len() == 40 && is_commit(target)).map(str::to_owned);
    event.url = json::url(payload, "/release/html_url");
    Found::Events(vec![event])
}

fn pull_request(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let mut event = match event(request, EventKind::PullRequest) {
        Ok(event) => event,
        Err(found) => return found,
    };
    // A closed one has a merge commit although nothing was merged.
    let is_merged = payload.pointer("/pull_request/merged") == Some(&Value::Bool(true));
    let action = json::text(payload, "/action");
    event.result_text = if is_merged { Some("merged") } else { action }.map(str::to_owned);
    let commit = if is_merged { "/pull_request/merge_commit_sha" } else { "/pull_request/head/sha" };
    event.commit = json::text(payload, commit).map(str::to_owned);
    event.branch = json::text(payload, "/pull_request/head/ref").map(str::to_owned);
    event.pushed_at = payload.pointer("/pull_request/updated_at").and_then(time::parse);
    event.run = payload.pointer("/pull_request/number").map(Value::to_string);
    event.url = json::url(payload, "/pull_request/html_url");
    Found::Events(vec![event])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_found_in_any_of_its_addresses() {
        for (url, expected) in [
            ("https://github.com/myorg/myapp", Some((Some("github.com"), "myorg/myapp"))),
            ("https://user:token@github.com/myorg/myapp.git", Some((Some("github.com"), "myorg/myapp"))),
            ("git@github.com:myorg/myapp.git", Some((Some("github.com"), "myorg/myapp"))),
            ("ssh://git@host:2222/group/sub/app", Some((Some("host"), "group/sub/app"))),
            ("https://host:8443/a", Some((Some("host:8443"), "a"))),
            ("https://host/", None),
            ("myorg/myapp", None),
            ("", None),
        ] {
            assert_eq!(repository_of_url(url), expected, "{url}");
        }
    }

    #[test]
    fn a_deleted_reference_has_no_commit() {
        assert!(is_commit("6113728f27ae82c7b1a177c8d03f9e96e0adf246"));
        assert!(!is_commit(NO_COMMIT) && !is_commit("") && !is_commit("HEAD"));
    }
}
