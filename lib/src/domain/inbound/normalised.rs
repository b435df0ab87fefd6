//! Normalised events: what one body says happened, in the same form for every sender. Filters, triggers and
//! the version map know only this form.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::shared::expression::Document;

/// What happened at the sender.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventKind {
    /// An image or other artifact was pushed.
    #[serde(rename = "artifact.pushed")]
    ArtifactPushed,
    /// An artifact or a tag was deleted.
    #[serde(rename = "artifact.deleted")]
    ArtifactDeleted,
    /// Commits were pushed to a branch.
    #[serde(rename = "git.push")]
    GitPush,
    /// A git tag was created.
    #[serde(rename = "git.tag")]
    GitTag,
    /// A release was published at a code host.
    #[serde(rename = "release")]
    Release,
    /// A pull or merge request changed.
    #[serde(rename = "pr")]
    PullRequest,
    /// A pipeline, workflow or build ended.
    #[serde(rename = "ci.finished")]
    CiFinished,
    /// The sender only checks the connection.
    #[serde(rename = "ping")]
    Ping,
}

impl EventKind {
    /// Every kind with its name on the wire.
    pub const ALL: [(&'static str, Self); 8] = [
        ("artifact.pushed", Self::ArtifactPushed),
        ("artifact.deleted", Self::ArtifactDeleted),
        ("git.push", Self::GitPush),
        ("git.tag", Self::GitTag),
        ("release", Self::Release),
        ("pr", Self::PullRequest),
        ("ci.finished", Self::CiFinished),
        ("ping", Self::Ping),
    ];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// A normalised inbound event. Nothing is guessed: members that the sender did not send are absent.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a member of its own on the wire")]
pub struct NormalisedEvent {
    /// The kind of event.
    pub kind: EventKind,
    /// The registry's host, as in `ghcr.io`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// The repository's name without its host, as in `myorg/myapp`.
    pub repository: String,
    /// The tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The digest as the sender wrote it, if it has the form `algorithm:value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Whether a registry could serve the digest: a known algorithm, its length, lower-case hex.
    #[serde(default)]
    pub digest_valid: bool,
    /// When it happened, by the sender's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<DateTime<Utc>>,
    /// When the service received it.
    pub received_at: DateTime<Utc>,
    /// Who pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pusher: Option<String>,
    /// The commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The branch, without `refs/heads/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The full git reference.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The result of a pipeline. Only `success` activates triggers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<PipelineResult>,
    /// The sender's own word for the result of a pipeline, or for what happened to a pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_text: Option<String>,
    /// The name of the workflow, pipeline or job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// The sender's number or id of the run. An attempt to run it again has another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The id of the run, which further attempts keep. Where the sender counts no attempts, the same as `run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The pull request that a pipeline ran for. Absent: it ran for a branch or a tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<RunOfPullRequest>,
    /// What ended, if it was not the whole pipeline: `job`, `task`, `check_suite`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Whether the sender marks the release as not final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prerelease: Option<bool>,
    /// A page about it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The commit that the branch or tag pointed at before; zeros if it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Whether the tag was deleted. Of a `git.tag` only; deleted images have a kind of their own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// The addresses of the repository in the body, by which components are found as well: for browsers and for
    /// git, with and without `.git`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Whether `pushed_at` is the time of the push, and not that of the content, as a commit's time is.
    #[serde(skip)]
    pub time_is_push: bool,
    /// What the sender's body has of the state of the repository at the push, and no other push of it has: it
    /// distinguishes two moves of a tag from one commit to another.
    #[serde(skip)]
    pub repository_state: Option<String>,
    /// Whether the sender reports the same tag by another event that has the commit.
    #[serde(skip)]
    pub awaits_commit: bool,
}

/// The result of a pipeline, in one word for all senders.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PipelineResult {
    /// It succeeded.
    Success,
    /// It failed.
    Failure,
    /// It was cancelled.
    Cancelled,
    /// It did not run.
    Skipped,
    /// Anything else, also words that are not known.
    Other,
}

impl PipelineResult {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Other => "other",
        }
    }
}

/// The pull or merge request that a pipeline ran for.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "PullRequest"))]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunOfPullRequest {
    /// Its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// The repository that its commits come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_repository: Option<String>,
    /// Whether that is another repository. Absent counts as `true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<bool>,
}

impl RunOfPullRequest {
    /// Whether its commits may come from a fork.
    #[must_use]
    pub fn may_be_of_fork(&self) -> bool {
        self.fork.unwrap_or(true)
    }
}

impl NormalisedEvent {
    /// An event of which only kind, repository and time of receipt are known.
    #[must_use]
    pub fn new(kind: EventKind, repository: impl Into<String>, received_at: DateTime<Utc>) -> Self {
        Self {
            kind,
            registry: None,
            repository: repository.into(),
            tag: None,
            digest: None,
            digest_valid: false,
            pushed_at: None,
            received_at,
            pusher: None,
            commit: None,
            branch: None,
            reference: None,
            result: None,
            result_text: None,
            pipeline: None,
            run: None,
            run_id: None,
            pull_request: None,
            scope: None,
            prerelease: None,
            url: None,
            before: None,
            deleted: false,
            addresses: Vec::new(),
            time_is_push: false,
            repository_state: None,
            awaits_commit: false,
        }
    }

    /// The document that filters are evaluated on: the event's members, and the sender's whole body as
    /// `payload`, which is borrowed.
    #[must_use]
    pub fn document<'d>(&self, payload: &'d Value) -> Document<'d> {
        let own = match serde_json::to_value(self) {
            Ok(Value::Object(own)) => own,
            _ => serde_json::Map::new(),
        };
        Document::new(own, "payload", payload)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_has_the_members_that_are_known_and_the_payload() {
        let mut event = NormalisedEvent::new(EventKind::ArtifactPushed, "myorg/myapp", DateTime::default());
        event.tag = Some("v1.2.0".to_owned());
        let payload = json!({"push_data": {"tag": "v1.2.0"}});
        let document = event.document(&payload).to_value();
        assert_eq!(document["kind"], "artifact.pushed");
        assert_eq!(document["payload"]["push_data"]["tag"], "v1.2.0");
        assert_eq!(document.get("digest"), None);
    }

    #[test]
    fn kinds_have_the_names_that_they_are_written_with() {
        for (name, kind) in EventKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), json!(name));
            assert_eq!(kind.name(), name);
        }
    }
}
