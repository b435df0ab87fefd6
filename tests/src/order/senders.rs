//! The senders of the histories: their configs and their bodies.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use stella::domain::shared::time::timestamp;

/// The tag that every history pushes.
pub const TAG: &str = "latest";

/// A sender that has a config of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// Harbor: digest and time of the push.
    Harbor,
    /// A generic sender: digest and, by `timeIsPush`, time of the push.
    Timed,
    /// Artifactory: digest, neither time nor delivery id.
    Artifactory,
    /// A generic sender: digest and delivery id, no time.
    Numbered,
    /// A git tag at GitHub, with the commit before.
    GitHub,
    /// A git tag at GitLab, with the commit before.
    GitLab,
}

impl Sender {
    /// Every sender.
    pub const ALL: [Self; 6] =
        [Self::Harbor, Self::Timed, Self::Artifactory, Self::Numbered, Self::GitHub, Self::GitLab];

    /// Whether its time orders its pushes.
    #[must_use]
    pub fn has_time(self) -> bool {
        matches!(self, Self::Harbor | Self::Timed)
    }

    /// The provider of its config.
    #[must_use]
    pub fn provider(self) -> &'static str {
        match self {
            Self::Harbor => "harbor",
            Self::Timed | Self::Numbered => "generic",
            Self::Artifactory => "artifactory",
            // The type of the config names them.
            Self::GitHub | Self::GitLab => "auto",
        }
    }

    /// Its config. The address contains a token, and requests have no proof.
    #[must_use]
    pub fn config(self) -> Value {
        let webhook_type = match self {
            Self::Harbor | Self::Artifactory => "registry-push",
            Self::Timed | Self::Numbered => "generic",
            Self::GitHub => "github-app",
            Self::GitLab => "gitlab-webhook",
        };
        let mut config = json!({"name": format!("{self:?}"), "type": webhook_type, "provider": self.provider(),
            "authentication": {"type": "none"}, "retryPolicy": {"backoffType": "fixed", "backoffSeconds": 5}});
        if self == Self::Timed {
            config["timeIsPush"] = json!(true);
        }
        config
    }

    /// The header with its delivery id.
    #[must_use]
    pub fn delivery_header(self) -> Option<&'static str> {
        match self {
            Self::Harbor | Self::Artifactory => None,
            Self::Timed | Self::Numbered => Some("webhook-id"),
            Self::GitHub => Some("x-github-delivery"),
            Self::GitLab => Some("idempotency-key"),
        }
    }
}

/// The digest of a content.
#[must_use]
pub fn digest(content: u8) -> String {
    format!("sha256:{}", hex(content).repeat(64))
}

/// The commit of a content.
#[must_use]
pub fn commit(content: u8) -> String {
    hex(content).repeat(40)
}

fn hex(content: u8) -> String {
    format!("{:x}", content % 15 + 1)
}

/// The time of a commit, by its content.
#[must_use]
pub fn commit_time(content: u8) -> DateTime<Utc> {
    DateTime::from_timestamp(1_704_067_200 + i64::from(content), 0).expect("a time")
}

/// The body of a push of an image.
#[must_use]
pub fn image(sender: Sender, repository: &str, content: u8, made: Option<DateTime<Utc>>) -> String {
    let (digest, name) = (digest(content), format!("org/{repository}"));
    let body = match sender {
        Sender::Harbor => json!({"type": "PUSH_ARTIFACT", "occur_at": made.map(|made| made.timestamp()),
            "event_data": {"repository": {"repo_full_name": name}, "resources": [{"digest": digest, "tag": TAG,
                "resource_url": format!("harbor.example.com/{name}:{TAG}")}]}}),
        Sender::Artifactory => json!({"domain": "docker", "event_type": "pushed",
            "jpd_origin": "https://example.jfrog.io", "data": {"repo_key": "org", "image_name": repository,
                "tag": TAG, "name": "manifest.json", "sha256": hex(content).repeat(64)}}),
        _ => json!({"kind": "artifact.pushed", "repository": name, "tag": TAG, "digest": digest,
            "pushedAt": made.map(timestamp)}),
    };
    body.to_string()
}

/// The body of a push of a git tag, which pointed at the content `before`.
#[must_use]
pub fn git_tag(sender: Sender, repository: &str, content: u8, before: Option<u8>) -> String {
    let (name, after) = (format!("src/{repository}"), commit(content));
    let before = before.map_or_else(|| "0".repeat(40), commit);
    let reference = format!("refs/tags/{TAG}");
    let body = match sender {
        Sender::GitLab => json!({"object_kind": "tag_push", "before": before, "after": after,
            "ref": reference, "checkout_sha": after, "commits": [], "project": {"path_with_namespace": name,
                "web_url": format!("https://gitlab.example.com/{name}")}}),
        _ => json!({"ref": reference, "before": before, "after": after, "deleted": false,
            "head_commit": {"id": after, "timestamp": timestamp(commit_time(content))},
            "repository": {"full_name": name, "html_url": format!("https://github.com/{name}")},
            "pusher": {"name": "dev"}, "sender": {"login": "dev"}}),
    };
    body.to_string()
}
