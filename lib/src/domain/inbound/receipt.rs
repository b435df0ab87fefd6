//! Receipts: the result of an inbound request, as its sender gets it and as it is stored.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::normalised::EventKind;
use crate::domain::shared::ids::{ComponentId, ConfigId, ReceiptId, ReleaseId, TenantId};

/// How long a receipt is kept, in days.
pub const RETENTION_DAYS: i64 = 30;

/// How long a duplicate is recognised, in days.
pub const DUPLICATE_DAYS: i64 = 8;

/// How long a duplicate is recognised by its body alone, in minutes: longer than any sender retries, and
/// short enough that the next push of the same tag is a new one. See
/// `docs/adr/0008-deduplicate-by-body-hash-for-one-hour.md`.
pub const SAME_BODY_MINUTES: i64 = 60;

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
    Ignored {
        /// Why, for a person.
        reason: String,
    },
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
            Self::Results(results) => summed_up(results).0,
            Self::Ignored(_) => "ignored",
            Self::Pong => "pong",
            Self::Handshake(_) => "handshake",
            Self::Queued => "queued",
        }
    }

    /// The answer's body; a preview has no receipt.
    #[must_use]
    pub fn view(&self, receipt: Option<ReceiptId>) -> Value {
        let mut members = Map::from_iter([("success".to_owned(), json!(true))]);
        match self {
            Self::Results(results) => members.extend(summary(results)),
            Self::Ignored(reason) => {
                members.insert("action".to_owned(), json!("ignored"));
                members.insert("reason".to_owned(), json!(reason));
            }
            Self::Handshake(code) => return json!({"validationResponse": code}),
            Self::Pong => {
                members.insert("action".to_owned(), json!("pong"));
            }
            Self::Queued => {
                members.insert("action".to_owned(), json!("queued"));
            }
        }
        if let Some(receipt) = receipt {
            members.insert("receiptId".to_owned(), json!(receipt));
        }
        Value::Object(members)
    }
}

/// One action for all results, with the figures that belong to it: `processed` if any event was processed, or
/// else `duplicate` if any is one, or else `ignored`.
fn summed_up(results: &[EventResult]) -> (&'static str, Vec<&Figures>) {
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
        (false, _) => ("processed", processed),
        (true, false) => ("duplicate", duplicates),
        (true, true) => ("ignored", Vec::new()),
    }
}

fn counted(count: u32, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The members of one answer for all results. Figures are added up. The component, or the reason if all are
/// ignored, is that of the first result that has one.
fn summary(results: &[EventResult]) -> Map<String, Value> {
    let (name, figures) = summed_up(results);
    let mut members = Map::from_iter([("action".to_owned(), json!(name))]);
    if figures.is_empty() {
        let reason = results.iter().find_map(|result| match &result.action {
            Action::Ignored { reason } => Some(reason.as_str()),
            Action::Processed(_) | Action::Duplicate { .. } => None,
        });
        members.insert("reason".to_owned(), json!(reason.unwrap_or("Nothing of interest")));
    } else {
        let sum =
            |count: fn(&Figures) -> u32| figures.iter().map(|figures| u64::from(count(figures))).sum::<u64>();
        members
            .insert("componentId".to_owned(), json!(figures.iter().find_map(|figures| figures.component_id)));
        members.insert("versionsAdded".to_owned(), json!(sum(|figures| figures.versions_added)));
        members.insert("triggersActivated".to_owned(), json!(sum(|figures| figures.triggers_activated)));
    }
    members.insert("results".to_owned(), json!(results));
    members
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

impl Receipt {
    /// The receipt in a list.
    #[must_use]
    pub fn row(&self) -> Value {
        let answer = self.answer.view(Some(self.id));
        let first = answer.get("results").and_then(|results| results.get(0)).unwrap_or(&Value::Null);
        json!({
            "id": self.id,
            "kind": first.get("kind"),
            "repository": first.get("repository"),
            "tag": first.get("tag"),
            "webhookConfigId": self.config_id,
            "receivedAt": crate::domain::shared::time::timestamp(self.received_at),
            "ip": self.ip,
            "action": answer.get("action").unwrap_or(&Value::Null),
            "reason": answer.get("reason").unwrap_or(&Value::Null),
            "replayable": self.replayable,
            "replayOf": self.replay_of,
        })
    }

    /// The receipt by itself, with its body as it came where it is a text.
    #[must_use]
    pub fn whole(&self, headers: &BTreeMap<String, String>, body: &[u8]) -> Value {
        let mut view = self.row();
        if let Some(members) = view.as_object_mut() {
            let parsed: Option<Value> = serde_json::from_slice(body).ok();
            let text = || json!(String::from_utf8_lossy(body));
            members.insert("headers".to_owned(), json!(headers));
            members.insert("body".to_owned(), parsed.unwrap_or_else(text));
            members.insert("steps".to_owned(), json!(self.steps()));
            members.insert("answer".to_owned(), self.answer.view(Some(self.id)));
        }
        view
    }

    /// What was done, in order, for a person.
    fn steps(&self) -> Vec<String> {
        let first = if self.replay_of.is_some() { "Replayed; authenticated before" } else { "Authenticated" };
        let mut steps = vec![first.to_owned()];
        match &self.answer {
            Answer::Results(results) => {
                let count = u32::try_from(results.len()).unwrap_or(u32::MAX);
                steps.push(format!("Read: {}", counted(count, "result", "results")));
                steps.extend(results.iter().map(EventResult::step));
            }
            Answer::Ignored(reason) => steps.push(format!("Ignored: {reason}")),
            Answer::Pong => steps.push("Read: a ping".to_owned()),
            Answer::Handshake(_) => steps.push("Read: a handshake, whose code was sent back".to_owned()),
            Answer::Queued => steps.push("Queued, because a dependency failed".to_owned()),
        }
        steps
    }
}

impl EventResult {
    fn step(&self) -> String {
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        let what = format!("{} {}{tag}", self.kind.name(), self.repository);
        match &self.action {
            Action::Processed(figures) => format!(
                "{what}: {}, {}",
                counted(figures.versions_added, "version added", "versions added"),
                counted(figures.triggers_activated, "trigger activated", "triggers activated"),
            ),
            Action::Duplicate { first_receipt_id, .. } => {
                format!("{what}: received before, with receipt {first_receipt_id}")
            }
            Action::Ignored { reason } => format!("{what}: ignored: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn result(action: Action) -> EventResult {
        EventResult {
            kind: EventKind::ArtifactPushed,
            repository: "myorg/myapp".to_owned(),
            tag: Some("v1.2.0".to_owned()),
            action,
        }
    }

    fn figures(versions_added: u32, triggers_activated: u32) -> Figures {
        let component_id = Some(ComponentId::from(Uuid::nil()));
        Figures { component_id, versions_added, triggers_activated, releases: Vec::new() }
    }

    fn receipt() -> ReceiptId {
        ReceiptId::from(Uuid::nil())
    }

    #[test]
    fn a_processed_push_has_its_figures_at_the_top_level() {
        let answer = Answer::Results(vec![result(Action::Processed(figures(1, 2)))]).view(Some(receipt()));
        assert_eq!(answer["success"], true);
        assert_eq!(answer["action"], "processed");
        assert_eq!(answer["componentId"], Uuid::nil().to_string());
        assert_eq!((&answer["versionsAdded"], &answer["triggersActivated"]), (&json!(1), &json!(2)));
        assert_eq!(answer["results"][0]["action"], "processed");
        assert_eq!(answer["receiptId"], Uuid::nil().to_string());
    }

    #[test]
    fn one_processed_event_outweighs_duplicates_and_ignored_ones() {
        let ignored = || result(Action::Ignored { reason: "No matching component".to_owned() });
        let duplicate = result(Action::Duplicate { figures: figures(1, 1), first_receipt_id: receipt() });
        let all = vec![ignored(), duplicate, result(Action::Processed(figures(1, 0)))];
        let answer = Answer::Results(all.clone()).view(Some(receipt()));
        assert_eq!((&answer["action"], &answer["triggersActivated"]), (&json!("processed"), &json!(0)));
        let answer = Answer::Results(all[..2].to_vec()).view(Some(receipt()));
        assert_eq!((&answer["action"], &answer["triggersActivated"]), (&json!("duplicate"), &json!(1)));
        let answer = Answer::Results(vec![ignored()]).view(Some(receipt()));
        assert_eq!(
            (&answer["action"], &answer["reason"]),
            (&json!("ignored"), &json!("No matching component"))
        );
    }

    #[test]
    fn a_receipt_is_read_as_it_was_written() {
        let duplicate = Action::Duplicate { figures: figures(1, 1), first_receipt_id: receipt() };
        let answer = Answer::Results(vec![result(duplicate)]);
        let text = serde_json::to_string(&answer).unwrap();
        assert_eq!(serde_json::from_str::<Answer>(&text).unwrap(), answer);
    }
}
