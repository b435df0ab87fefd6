//! Receipts: the result of an inbound request, as its sender gets it and as it is stored.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::normalised::EventKind;
use crate::domain::shared::ids::{ComponentId, ConfigId, ReceiptId, ReleaseId, TenantId};

/// How long a receipt is kept, in days.
pub const RETENTION_DAYS: i64 = 30;

/// How long a duplicate is recognised, in days.
pub const DUPLICATE_DAYS: i64 = 8;

/// How long a duplicate is recognised by its body alone, in minutes: longer than senders retry that send no time and no
/// id (Quay tries five times, 30 s apart), and short enough that the next push of the same tag is a new one. See
/// `docs/adr/0018-order-pushes-by-one-place.md`.
pub const SAME_BODY_MINUTES: i64 = 5;

/// What one normalised event changed at one component.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// The component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_id: Option<ComponentId>,
    /// The versions that were added to its version map, including retags.
    pub versions_added: u32,
    /// The triggers that created a release.
    pub triggers_activated: u32,
    /// The releases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<ReleaseId>,
    /// Why no version was added, or else why no release was created, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The release that exists already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_id: Option<ReleaseId>,
}

/// The result of one normalised event at one component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "action")]
pub enum Action {
    /// The event was processed.
    Processed(Figures),
    /// The event was received before. It changes nothing.
    #[serde(rename_all = "camelCase")]
    Duplicate {
        /// The figures of the first request.
        #[serde(flatten)]
        figures: Figures,
        /// The receipt of the first request.
        first_receipt_id: ReceiptId,
    },
    /// The event is ignored.
    #[serde(rename_all = "camelCase")]
    Ignored {
        /// Why, for a person.
        reason: String,
        /// The release that exists already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        release_id: Option<ReleaseId>,
    },
}

impl Action {
    /// The event is ignored for this reason.
    #[must_use]
    pub fn ignored(reason: impl Into<String>) -> Self {
        Self::Ignored { reason: reason.into(), release_id: None }
    }
}

named! {
    /// What was done with one normalised event, in a word.
    #[cfg_attr(feature = "schema", schemars(inline))]
    pub enum ResultAction {
        /// It was processed now.
        Processed = "processed",
        /// It was processed before.
        Duplicate = "duplicate",
        /// It was ignored, for the reason given.
        Ignored = "ignored",
    }
}

/// The result of one normalised event, with the members that identify it within its request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventResult {
    /// The event's kind.
    pub kind: EventKind,
    /// The repository.
    pub repository: String,
    /// The tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The result.
    #[serde(flatten)]
    pub action: Action,
}

/// The answer to a sender, which the receipt keeps. Its name is the receipt's `action`.
///
/// ```text
///             ┌─▶ pong, handshake               no event
///             ├─▶ ignored                       no event, or every event is ignored
///  request ───┼─▶ processed                     at least one event was processed
///             ├─▶ duplicate                     otherwise, if at least one event is one
///             └─▶ queued ──── retry ───▶ processed, duplicate or ignored
///                   ▲            │
///                   └────────────┘  a dependency failed again, or a component is at its limit of releases
/// ```
///
/// Only `queued` changes later. A request that can never be processed becomes `ignored`, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// The result of each event at each component.
    Results(Vec<EventResult>),
    /// The request has no event that is of interest. Why, for a person.
    Ignored(String),
    /// The request was a ping.
    Pong,
    /// The request asked for this code, which is all that its sender reads in the answer.
    Handshake(String),
    /// The request will be processed later.
    Queued,
}

impl Answer {
    /// The action, in a word.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Results(results) => summed_up(results).0.name(),
            Self::Ignored(_) => "ignored",
            Self::Pong => "pong",
            Self::Handshake(_) => "handshake",
            Self::Queued => "queued",
        }
    }
}

/// One action for all results, with the figures that belong to it: `processed` if any event was processed, or
/// else `duplicate` if any is one, or else `ignored`.
pub(super) fn summed_up(results: &[EventResult]) -> (ResultAction, Vec<&Figures>) {
    let is = |wanted: fn(&Action) -> Option<&Figures>| {
        results.iter().filter_map(|result| wanted(&result.action)).collect::<Vec<_>>()
    };
    let processed = is(|action| match action {
        Action::Processed(figures) => Some(figures),
        Action::Duplicate { .. } | Action::Ignored { .. } => None,
    });
    let duplicates = is(|action| match action {
        Action::Duplicate { figures, .. } => Some(figures),
        Action::Processed(_) | Action::Ignored { .. } => None,
    });
    match (processed.is_empty(), duplicates.is_empty()) {
        (false, _) => (ResultAction::Processed, processed),
        (true, false) => (ResultAction::Duplicate, duplicates),
        (true, true) => (ResultAction::Ignored, Vec::new()),
    }
}

/// The record of a de-duplication key, by which a duplicate is recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// The figures of the first request.
    pub figures: Figures,
    /// The receipt of the first request.
    pub receipt_id: ReceiptId,
    /// Until when an event with this key is a duplicate, in seconds since 1970.
    pub live_until: i64,
    /// When the record may be removed, in seconds since 1970.
    pub expires_at: i64,
}

/// A receipt: the stored record of one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Its id, which the sender got.
    pub id: ReceiptId,
    /// The owning tenant.
    pub tenant_id: TenantId,
    /// The webhook config that it came in by.
    pub config_id: ConfigId,
    /// When the request was received.
    pub received_at: DateTime<Utc>,
    /// The caller's IP address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Its headers and body, packed together (`Kept` in `app::inbound::receipts`), which needs a write unit
    /// less than separately.
    #[serde(with = "serde_bytes")]
    pub request: Vec<u8>,
    /// Whether the body is complete, so that the request can be replayed.
    pub replayable: bool,
    /// The receipt that this is a replay of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<ReceiptId>,
    /// The answer.
    pub answer: Answer,
    /// When the receipt may be removed, in seconds since 1970.
    pub expires_at: i64,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_receipt_is_read_as_it_was_written() {
        let figures = Figures {
            component_id: Some(Uuid::nil().into()),
            versions_added: 1,
            triggers_activated: 1,
            ..Figures::default()
        };
        let action = Action::Duplicate { figures, first_receipt_id: Uuid::nil().into() };
        let (kind, repository) = (EventKind::ArtifactPushed, "myorg/myapp".to_owned());
        let answer = Answer::Results(vec![EventResult { kind, repository, tag: None, action }]);
        let text = serde_json::to_string(&answer).unwrap();
        assert_eq!(serde_json::from_str::<Answer>(&text).unwrap(), answer);
    }
}
