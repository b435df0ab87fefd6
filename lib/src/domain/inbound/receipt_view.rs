//! A receipt as callers see it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::answer_view::{AnswerAction, AnswerBody};
use super::normalised::EventKind;
use super::receipt::{Action, Answer, EventResult, Receipt};
use crate::domain::shared::ids::{ConfigId, ReceiptId};
use crate::domain::shared::time::Timestamp;

/// A receipt: what the log keeps of one request of a sender.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Receipt"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptView {
    /// The receipt's id.
    pub id: ReceiptId,
    /// The webhook config that received the request.
    pub webhook_config_id: ConfigId,
    /// When the request was received.
    pub received_at: Timestamp,
    /// The IP address of the sender.
    pub ip: Option<String>,
    /// What was done with the request. `null` for a handshake.
    pub action: Option<AnswerAction>,
    /// The kind of the first event of the request.
    pub kind: Option<EventKind>,
    /// The repository of the first event.
    pub repository: Option<String>,
    /// The tag of the first event.
    pub tag: Option<String>,
    /// Why the request was ignored.
    pub reason: Option<String>,
    /// Whether the whole body is kept, so that the request can be replayed.
    pub replayable: bool,
    /// The receipt of which this one is a replay.
    pub replay_of: Option<ReceiptId>,
    /// The headers of the request, with secret values blanked. Of one receipt, not in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// The body of the request: JSON, or a text if it is not JSON; at most 64 KiB. Of one receipt, not in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// What happened, in order, for people. Of one receipt, not in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<String>>,
    /// The answer that the sender got. Of one receipt, not in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerBody>,
}

impl Receipt {
    /// The receipt in a list.
    #[must_use]
    pub fn row(&self) -> ReceiptView {
        let (action, reason) = match self.answer.view(Some(self.id)) {
            AnswerBody::Answer(answer) => (Some(answer.action), answer.reason),
            AnswerBody::Handshake(_) => (None, None),
        };
        let first = match &self.answer {
            Answer::Results(results) => results.first(),
            Answer::Ignored(_) | Answer::Pong | Answer::Handshake(_) | Answer::Queued => None,
        };
        ReceiptView {
            id: self.id,
            webhook_config_id: self.config_id,
            received_at: Timestamp(self.received_at),
            ip: self.ip.clone(),
            action,
            kind: first.map(|first| first.kind),
            repository: first.map(|first| first.repository.clone()),
            tag: first.and_then(|first| first.tag.clone()),
            reason,
            replayable: self.replayable,
            replay_of: self.replay_of,
            headers: None,
            body: None,
            steps: None,
            answer: None,
        }
    }

    /// The receipt by itself, with its body as it came where it is a text.
    #[must_use]
    pub fn whole(&self, headers: BTreeMap<String, String>, body: &[u8]) -> ReceiptView {
        let text = |_| Value::from(String::from_utf8_lossy(body).into_owned());
        ReceiptView {
            headers: Some(headers),
            body: Some(serde_json::from_slice(body).unwrap_or_else(text)),
            steps: Some(self.steps()),
            answer: Some(self.answer.view(Some(self.id))),
            ..self.row()
        }
    }

    /// What happened, in order, for a person.
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

fn counted(count: u32, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

impl EventResult {
    fn step(&self) -> String {
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        let what = format!("{} {}{tag}", self.kind.name(), self.repository);
        match &self.action {
            Action::Processed(figures) => {
                let reason = figures.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                format!(
                    "{what}: {}, {}{reason}",
                    counted(figures.versions_added, "version added", "versions added"),
                    counted(figures.triggers_activated, "trigger activated", "triggers activated"),
                )
            }
            Action::Duplicate { first_receipt_id, .. } => {
                format!("{what}: received before, with receipt {first_receipt_id}")
            }
            Action::Ignored { reason, .. } => format!("{what}: ignored: {reason}"),
        }
    }
}
