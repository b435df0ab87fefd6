//! The bodies of the cases.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use stella::domain::shared::time::timestamp;

/// Forty hex digits, as of a commit. Three digits for "no commit".
pub fn commit(digit: char) -> String {
    digit.to_string().repeat(40)
}

/// GitHub's repository, which every body of it has.
fn github(members: &Value) -> String {
    let mut body = json!({"repository": {"full_name": "myorg/myapp", "html_url": "https://github.com/myorg/myapp"},
        "sender": {"login": "octocat"}});
    stella::domain::shared::merge_patch::merge(&mut body, members);
    body.to_string()
}

/// A push of a tag from one commit to another at GitHub or Gitea; `0` is none.
pub fn github_tag(tag: &str, from: char, to: char) -> String {
    let head = (to != '0').then(|| json!({"id": commit(to), "timestamp": "2024-01-01T00:00:00Z"}));
    github(&json!({"ref": format!("refs/tags/{tag}"), "before": commit(from), "after": commit(to),
        "deleted": to == '0', "head_commit": head, "pusher": {"name": "octocat"}}))
}

/// GitHub's `create` of a tag, which has no commit.
pub fn github_create(tag: &str) -> String {
    github(&json!({"ref": tag, "ref_type": "tag", "master_branch": "main"}))
}

/// A release at GitHub.
pub fn github_release(action: &str, prerelease: bool) -> String {
    github(
        &json!({"action": action, "release": {"tag_name": "v1.2.0", "target_commitish": "main", "draft": false,
        "prerelease": prerelease, "published_at": "2024-01-01T00:00:00Z"}}),
    )
}

/// A workflow run at GitHub that succeeded.
pub fn workflow_run(name: &str, run: (u64, u64), of: char, ended: DateTime<Utc>) -> String {
    github(&json!({"action": "completed", "workflow_run": {"id": run.0, "run_attempt": run.1, "name": name,
        "head_branch": "main", "head_sha": commit(of), "status": "completed", "conclusion": "success",
        "event": "push", "pull_requests": [], "updated_at": timestamp(ended),
        "head_repository": {"full_name": "myorg/myapp", "fork": false}}}))
}

/// A push of a tag at GitLab.
pub fn gitlab_tag(tag: &str, from: char, to: char) -> String {
    json!({"object_kind": "tag_push", "before": commit(from), "after": commit(to), "checkout_sha": commit(to),
        "ref": format!("refs/tags/{tag}"), "commits": [], "project": {"path_with_namespace": "myorg/myapp",
            "web_url": "https://gitlab.example.com/myorg/myapp"}})
    .to_string()
}

/// A push of a tag at Bitbucket Cloud.
pub fn bitbucket_tag(tag: &str, from: char, to: char) -> String {
    let side = |of: char| {
        let target = json!({"hash": commit(of), "date": "2024-01-01T00:00:00+00:00"});
        (of != '0').then(|| json!({"type": "tag", "name": tag, "target": target}))
    };
    json!({"push": {"changes": [{"old": side(from), "new": side(to)}]}, "actor": {"nickname": "dev"},
        "repository": {"full_name": "myorg/myapp", "links": {"html": {"href": "https://bitbucket.org/myorg/myapp"}}}})
    .to_string()
}

/// A push or deletion at a distribution registry; without a tag it is of the manifest.
pub fn distribution(action: &str, tag: Option<&str>, digest: &str, at: DateTime<Utc>) -> String {
    json!({"events": [{"id": format!("{action} {}", timestamp(at)), "timestamp": timestamp(at), "action": action,
        "target": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest,
            "repository": "myorg/myapp", "tag": tag}, "request": {"host": "registry.example.com:5000"}}]})
    .to_string()
}
