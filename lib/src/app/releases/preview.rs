//! Previews what a request would do, without storing anything.

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::{Map, Value};

use super::process::{Processor, admit};
use crate::domain::inbound::answer_view::AnswerBody;
use crate::domain::inbound::auth::verified::Verified;
use crate::domain::inbound::config::Config;
use crate::domain::inbound::normalise::Parsed;
use crate::domain::inbound::normalised::NormalisedEvent;
use crate::domain::inbound::receipt::Answer;
use crate::domain::inbound::senders::sender::Found;
use crate::domain::releases::decision::{Decision, PlannedRelease};
use crate::domain::shared::expression::Budget;
use crate::domain::shared::ids::{ComponentId, ReleaseId, TriggerId};
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
        fields.describe("headers", "The headers of the request.");
        fields.describe("body", "The body of the request: a text, or JSON.");
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

/// What a body would do.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// The normalised events of the body.
    pub events: Vec<NormalisedEvent>,
    /// What would be done with each event.
    pub decisions: Vec<DecisionView>,
    /// The answer that the sender would get, if the body has no event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerBody>,
}

/// What would be done with an event.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Decision"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionView {
    /// Whether the filters or the repositories of the config exclude the event.
    pub filtered: bool,
    /// The components that the event is about, without those whose tag prefixes the tag does not have.
    pub component_ids: Vec<ComponentId>,
    /// Whether a version would be added.
    pub version_added: bool,
    /// The triggers that would create a release.
    pub triggers: Vec<ActivatedTrigger>,
    /// Why there would be no version, or else no release.
    pub reason: Option<String>,
    /// The release that exists already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_id: Option<ReleaseId>,
}

/// A trigger that would create a release.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivatedTrigger {
    /// The trigger's id.
    pub id: TriggerId,
    /// The trigger's name.
    pub name: String,
    /// The name of the release.
    pub release_name: String,
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
) -> Result<Preview, Error> {
    let answer = match &parsed.found {
        Found::Events(events) => {
            let mut decisions = Vec::new();
            for event in events {
                decisions.push(decision(processor, config, parsed, event, now).await?);
                // The expressions of one event are the most that other requests wait for.
                tokio::task::yield_now().await;
            }
            return Ok(Preview { events: events.clone(), decisions, answer: None });
        }
        Found::Ping => Answer::Pong,
        Found::Handshake { validation_code } => Answer::Handshake(validation_code.clone()),
        Found::Ignored(reason) => Answer::Ignored(reason.clone()),
    };
    Ok(Preview { events: Vec::new(), decisions: Vec::new(), answer: Some(answer.view(None)) })
}

async fn decision(
    processor: &Processor,
    config: &Config,
    parsed: &Parsed,
    event: &NormalisedEvent,
    now: DateTime<Utc>,
) -> Result<DecisionView, Error> {
    let mut budget = Budget::default();
    if let Err(reason) = admit(config, parsed, event, &mut budget) {
        return Ok(DecisionView {
            filtered: true,
            component_ids: Vec::new(),
            version_added: false,
            triggers: Vec::new(),
            reason: Some(reason),
            release_id: None,
        });
    }
    let (decided, no_match) = processor.decide(config, parsed, event, &mut budget, now).await?;
    let activated = |(_, decision): &(ComponentId, Decision)| {
        let of = |planned: &PlannedRelease| {
            let trigger = &planned.release.trigger;
            ActivatedTrigger {
                id: trigger.id,
                name: trigger.name.clone(),
                release_name: planned.release.name.clone(),
            }
        };
        decision.releases.iter().map(of).collect::<Vec<_>>()
    };
    let triggers = decided.iter().flat_map(activated).collect();
    // What a component does not take is a reason only if no component takes it.
    let (taken, others): (Vec<_>, Vec<_>) = decided.iter().partition(|(_, decision)| decision.is_taken);
    let said = if taken.is_empty() { &others } else { &taken };
    let reason = said.iter().find_map(|(_, decision)| decision.reason.as_deref());
    let reason = no_match.as_deref().or(reason);
    let reason = budget.failure().or(reason);
    let release_id = decided.iter().find_map(|(_, decision)| decision.release_id);
    Ok(DecisionView {
        filtered: false,
        component_ids: taken.iter().map(|(id, _)| *id).collect(),
        version_added: decided.iter().any(|(_, decision)| decision.adds_version()),
        triggers,
        reason: reason.map(str::to_owned),
        release_id,
    })
}
