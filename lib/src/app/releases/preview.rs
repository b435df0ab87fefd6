//! Previews what a request would do, without storing anything.

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::process::{Processor, admit};
use crate::domain::inbound::auth::verified::Verified;
use crate::domain::inbound::config::Config;
use crate::domain::inbound::normalise::Parsed;
use crate::domain::inbound::normalised::NormalisedEvent;
use crate::domain::inbound::receipt::Answer;
use crate::domain::inbound::senders::sender::Found;
use crate::domain::shared::expression::Budget;
use crate::domain::shared::object_reader::ObjectReader;
use crate::error::Error;

/// A request to be previewed.
pub struct Sample {
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Sample {
    /// Reads `{headers, body}`, where the body is a text or JSON.
    ///
    /// # Errors
    /// `Unprocessable` with every mistake.
    pub fn parse(said: &Value) -> Result<Self, Error> {
        ObjectReader::whole(said, Self::read)
    }

    /// Reads the members of a sample.
    pub fn read(fields: &mut ObjectReader<'_>) -> Option<Self> {
        let headers = match fields.members("headers").map(read_headers) {
            Some(Ok(headers)) => headers,
            Some(Err(message)) => {
                fields.wrong("headers", message);
                HeaderMap::new()
            }
            None => HeaderMap::new(),
        };
        fields.require("body");
        let body = match fields.value("body") {
            Some(Value::String(text)) => text.clone().into_bytes(),
            Some(json) => json.to_string().into_bytes(),
            None => Vec::new(),
        };
        Some(Self { headers, body })
    }

    /// The request as an authenticated one: the caller's API key authorises the preview.
    #[must_use]
    pub fn vouched_for(&self) -> Verified<'_> {
        Verified::was_verified_before(&self.headers, &self.body)
    }
}

fn read_headers(said: &Map<String, Value>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in said {
        let text = value.as_str().ok_or_else(|| format!("{name} must be a string"))?;
        let name: HeaderName = name.parse().map_err(|_| format!("{name} is not a header's name"))?;
        let value: HeaderValue =
            text.parse().map_err(|_| format!("{name} has a value that no header can have"))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// The events of a parsed request, and what each would do.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub async fn preview(
    processor: &Processor,
    config: &Config,
    parsed: &Parsed,
    now: DateTime<Utc>,
) -> Result<Value, Error> {
    let answer = match &parsed.found {
        Found::Events(events) => {
            let mut decisions = Vec::new();
            for event in events {
                decisions.push(decision(processor, config, parsed, event, now).await?);
                // The expressions of one event are the most that other requests wait for.
                tokio::task::yield_now().await;
            }
            return Ok(json!({"events": events, "decisions": decisions}));
        }
        Found::Ping => Answer::Pong,
        Found::Handshake { validation_code } => Answer::Handshake(validation_code.clone()),
        Found::Ignored(reason) => Answer::Ignored(reason.clone()),
    };
    Ok(json!({"events": [], "decisions": [], "answer": answer.view(None)}))
}

async fn decision(
    processor: &Processor,
    config: &Config,
    parsed: &Parsed,
    event: &NormalisedEvent,
    now: DateTime<Utc>,
) -> Result<Value, Error> {
    let mut budget = Budget::default();
    if let Err(reason) = admit(config, parsed, event, &mut budget) {
        return Ok(json!({"filtered": true, "componentIds": [], "versionAdded": false, "triggers": [],
            "reason": reason}));
    }
    let decided = processor.decide(config, parsed, event, &mut budget, now).await?;
    let triggers: Vec<Value> = decided
        .iter()
        .flat_map(|(_, decision)| &decision.releases)
        .map(|planned| {
            let trigger = &planned.release.trigger;
            json!({"id": trigger.id, "name": trigger.name, "releaseName": planned.release.name})
        })
        .collect();
    let reason = decided.iter().find_map(|(_, decision)| decision.reason);
    let reason = if decided.is_empty() { Some("No matching component") } else { reason };
    let reason = budget.failure().or(reason);
    Ok(json!({
        "filtered": false,
        "componentIds": decided.iter().map(|(id, _)| id).collect::<Vec<_>>(),
        "versionAdded": decided.iter().any(|(_, decision)| decision.adds_version()),
        "triggers": triggers,
        "reason": reason,
    }))
}
