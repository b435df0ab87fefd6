//! The events that GitHub, Gitea and Forgejo send in the same form: pushes, tags, releases and pull requests.
//!
//! The shape of the body says which of them it is, because the header that names the event is not signed.

use serde_json::Value;

use super::addresses::note_addresses;
use super::sender::{Found, SenderRequest};
use super::{reference, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};

/// The members of a repository that are its addresses.
const ADDRESSES: [&str; 5] = ["html_url", "clone_url", "ssh_url", "git_url", "svn_url"];

/// The event in a body, if its shape is one of these.
pub(super) fn read(request: &SenderRequest<'_>) -> Option<Found> {
    let payload = request.payload;
    let has = |member: &str| payload.get(member).is_some_and(|value| !value.is_null());
    if has("ref_type") {
        return Some(created_or_deleted(request));
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
        return Err(Found::Ignored("The body does not name its repository".to_owned()));
    };
    let mut event = request.event(kind, name);
    event.registry = host(json::text(payload, "/repository/html_url"));
    event.pusher = json::text(payload, "/sender/login").map(str::to_owned);
    let repository = payload.get("repository").unwrap_or(&Value::Null);
    note_addresses(&mut event, ADDRESSES.iter().map(|member| json::text(repository, &format!("/{member}"))));
    Ok(event)
}

/// The host of an address.
pub(super) fn host(url: Option<&str>) -> Option<String> {
    let (host, _) = reference::without_scheme(url?).split_once('/')?;
    Some(host.to_owned()).filter(|host| !host.is_empty())
}

/// Host and name of a repository by any address that git takes: `https://host/org/app.git`,
/// `git@host:org/app`, `ssh://git@host:22/org/app`. `None` if the text is not such an address.
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

/// Whether an id is only zeros: instead of the commit of a branch or tag that is new or was deleted. It has
/// 40 digits, and 64 in a repository of the SHA-256 format.
pub(super) fn is_zeros(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte == b'0')
}

/// Whether a text is the id of a commit. Zeros are not.
pub(super) fn is_commit(text: &str) -> bool {
    !is_zeros(text) && text.len() >= 7 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The id of a commit at a JSON pointer.
pub(super) fn commit(value: &Value, pointer: &str) -> Option<String> {
    json::text(value, pointer).filter(|text| is_commit(text)).map(str::to_owned)
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

/// The deletion of what the event names. That of a branch changes nothing, because branches have no versions.
pub(super) fn deleted(event: NormalisedEvent) -> Result<NormalisedEvent, &'static str> {
    if event.kind == EventKind::GitTag {
        Ok(NormalisedEvent { deleted: true, commit: None, ..event })
    } else {
        Err("A branch was deleted")
    }
}

fn push(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let mut event = match event(request, EventKind::GitPush) {
        Ok(event) => event,
        Err(found) => return found,
    };
    if !note_reference(&mut event, json::text(payload, "/ref").unwrap_or_default()) {
        return Found::Ignored("The reference is neither a branch nor a tag".to_owned());
    }
    event.before = json::text(payload, "/before").map(str::to_owned);
    // GitHub's and Gitea's time of the last push to the repository.
    let state =
        payload.pointer("/repository/pushed_at").or_else(|| payload.pointer("/repository/updated_at"));
    event.repository_state =
        state.filter(|state| state.is_number() || state.is_string()).map(Value::to_string);
    let pusher = json::text(payload, "/pusher/login").or_else(|| json::text(payload, "/pusher/name"));
    event.pusher = pusher.map(str::to_owned).or(event.pusher);
    event.url = json::url(payload, "/compare").or_else(|| json::url(payload, "/compare_url"));
    let is_deletion = payload.get("deleted") == Some(&Value::Bool(true))
        || json::text(payload, "/after").is_some_and(is_zeros);
    if is_deletion {
        return match deleted(event) {
            Ok(event) => Found::Events(vec![event]),
            Err(reason) => Found::Ignored(reason.to_owned()),
        };
    }
    // For an annotated tag, `after` is the object of the tag, and the head commit is what it points at.
    event.commit = commit(payload, "/head_commit/id").or_else(|| commit(payload, "/after"));
    if event.commit.is_none() {
        return Found::Ignored("The push has no commit".to_owned());
    }
    let last = payload.pointer("/head_commit/timestamp").or_else(|| payload.pointer("/commits/0/timestamp"));
    event.pushed_at = last.and_then(time::parse);
    Found::Events(vec![event])
}

/// A tag that was created or deleted. GitHub's `create` has `master_branch` and Gitea's has `sha`; `delete`
/// has neither. Only Gitea's has the commit: GitHub sends a push with it as well.
fn created_or_deleted(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let name = json::text(payload, "/ref").unwrap_or_default();
    if json::text(payload, "/ref_type") != Some("tag") || name.is_empty() {
        return Found::Ignored("A branch was created or deleted; its commits come with a push".to_owned());
    }
    let mut event = match event(request, EventKind::GitTag) {
        Ok(event) => event,
        Err(found) => return found,
    };
    event.tag = Some(name.trim_start_matches("refs/tags/").to_owned());
    if ["/master_branch", "/sha"].iter().any(|member| json::text(payload, member).is_some()) {
        event.commit = commit(payload, "/sha");
        event.awaits_commit = event.commit.is_none();
    } else {
        event.deleted = true;
    }
    Found::Events(vec![event])
}

/// A published release. GitHub reports one publication by up to three actions, which are one version.
fn release(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let action = json::text(payload, "/action").unwrap_or("published");
    if !matches!(action, "published" | "released" | "prereleased") {
        return Found::Ignored(format!("The action of the release is \"{action}\", and not \"published\""));
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
    // It may be a branch, and a branch may be called like a short commit.
    event.commit =
        commit(payload, "/release/target_commitish").filter(|target| matches!(target.len(), 40 | 64));
    event.url = json::url(payload, "/release/html_url");
    Found::Events(vec![event])
}

fn pull_request(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let mut event = match event(request, EventKind::PullRequest) {
        Ok(event) => event,
        Err(found) => return found,
    };
    // One that was closed without a merge has a merge commit, too.
    let is_merged = payload.pointer("/pull_request/merged") == Some(&Value::Bool(true));
    let action = json::text(payload, "/action");
    event.result_text = if is_merged { Some("merged") } else { action }.map(str::to_owned);
    let of = if is_merged { "/pull_request/merge_commit_sha" } else { "/pull_request/head/sha" };
    event.commit = commit(payload, of);
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
    fn zeros_are_not_a_commit_in_any_format() {
        assert!(is_commit("6113728f27ae82c7b1a177c8d03f9e96e0adf246"));
        assert!(is_commit(&"a0".repeat(32)));
        for text in [&"0".repeat(40), &"0".repeat(64), "", "HEAD"] {
            assert!(!is_commit(text), "{text}");
        }
    }
}
