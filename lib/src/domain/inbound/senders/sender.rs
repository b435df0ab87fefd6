//! A sender's entry in the table of senders, and what its reader gets and returns.

use std::cell::RefCell;
use std::fmt;
use std::hash::{Hash, Hasher};

use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde::Serialize;
use serde_json::Value;

use super::preset::Preset;
use super::results::Results;
use crate::domain::inbound::mapping::Mapping;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::inbound::webhook_type::WebhookType;
use crate::domain::shared::expression::Budget;

/// The provider of configs that name no sender.
pub const AUTO: &str = "auto";

/// A registry, CI system or code host that posts to us: an entry of [`SENDERS`](super::SENDERS).
///
/// It is static data: a function that starts does no work for it. Senders are equal if their names are.
pub struct Sender {
    /// What `stella send` and `stella init` call it.
    pub name: &'static str,
    /// A config's `provider` that means it: its name; or `auto`, if it has a config type to itself.
    pub provider: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The config types it has events for, the usual one first. See [`Sender::config_types`].
    pub types: &'static [WebhookType],
    /// How it authenticates, if its config does not say.
    pub authentication: Preset,
    /// Other ways, between which its own settings decide. The first way whose header is there counts;
    /// signatures come first.
    pub(in crate::domain::inbound) alternatives: &'static [Preset],
    /// Whether a body is one of its own, for `auto`. None: its bodies look like those of another sender.
    pub(in crate::domain::inbound) recognises: Option<fn(&Value) -> bool>,
    /// Reads an authenticated request.
    pub(in crate::domain::inbound) read: fn(&SenderRequest<'_>) -> Reading,
    /// Its words for the results of pipelines.
    pub(in crate::domain::inbound) results: Results,
    /// Whether the time that it sends with a tag is that of the push. If not, the time of receipt orders pushes.
    pub time_is_push: bool,
    /// What shows that a request is not an old one sent again.
    pub replay_protection: ReplayProtection,
    /// How it is set up.
    pub page: Page,
    /// What it posts, for `stella send`. None for one that shares another's bodies.
    pub examples: &'static [Example],
}

impl Sender {
    /// The types of the configs that may name it: its own, and `generic`, which takes every sender's events.
    pub fn config_types(&self) -> impl Iterator<Item = WebhookType> {
        let generic = self.provider != AUTO && !self.types.contains(&WebhookType::Generic);
        self.types.iter().copied().chain(generic.then_some(WebhookType::Generic))
    }
}

impl PartialEq for Sender {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Sender {}

impl Hash for Sender {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What shows that a request is not an old one sent again by a stranger who has seen it.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplayProtection {
    /// The sender's time, in the body or signed with it.
    Time,
    /// The sender's id of the delivery or of the run.
    Id,
    /// The commit that the branch or tag pointed at before.
    State,
    /// The body alone: the same bytes count again after 5 minutes. A stranger who has seen a request can send it
    /// again later.
    Body,
}

/// A page of `docs/senders`.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Its file's name, without `.md`; and that of the folder of the sender's bodies in `events/inbound`.
    pub name: &'static str,
    /// Markdown.
    pub text: &'static str,
}

/// A body of `events/inbound`, with the sender's headers.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// Its file's name, without `.json`.
    pub event: &'static str,
    /// Headers that name the event.
    pub headers: &'static [(&'static str, &'static str)],
    /// JSON.
    pub body: &'static str,
}

/// The page of this name.
macro_rules! page {
    ($name:literal) => {
        $crate::domain::inbound::senders::sender::Page {
            name: $name,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/senders/", $name, ".md")),
        }
    };
}
pub(super) use page;

/// The body of this folder and name, with headers.
macro_rules! example {
    ($folder:literal, $event:literal $(, $name:literal = $value:literal)*) => {
        $crate::domain::inbound::senders::sender::Example {
            event: $event,
            headers: &[$(($name, $value)),*],
            body: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/../events/inbound/", $folder, "/", $event, ".json"
            )),
        }
    };
}
pub(super) use example;

/// An authenticated request, as a reader gets it.
pub(in crate::domain::inbound) struct SenderRequest<'a> {
    /// Nobody signs them: they name a delivery, and never decide what it is.
    pub(in crate::domain::inbound) headers: &'a HeaderMap,
    /// The body, byte for byte.
    pub(in crate::domain::inbound) body: &'a [u8],
    /// The body, parsed.
    pub(in crate::domain::inbound) payload: &'a Value,
    /// The config's type.
    pub(in crate::domain::inbound) webhook_type: WebhookType,
    /// The config's mapping.
    pub(in crate::domain::inbound) mapping: Option<&'a Mapping>,
    /// The sender's [`Sender::time_is_push`].
    pub(in crate::domain::inbound) time_is_push: bool,
    /// What the mapping's paths may cost.
    pub(in crate::domain::inbound) budget: &'a RefCell<Budget>,
    /// When the request came in.
    pub(in crate::domain::inbound) received_at: DateTime<Utc>,
}

impl SenderRequest<'_> {
    /// The value in `payload` that the mapping has for a member.
    pub(super) fn mapped<'v>(
        &self,
        mapping: &'v Mapping,
        member: &str,
        payload: &'v Value,
    ) -> Option<&'v Value> {
        mapping.find(member, payload, &mut self.budget.borrow_mut())
    }

    /// An event of this request that has nothing but kind and repository yet.
    pub(super) fn event(&self, kind: EventKind, repository: &str) -> NormalisedEvent {
        let time_is_push = self.time_is_push;
        NormalisedEvent { time_is_push, ..NormalisedEvent::new(kind, repository, self.received_at) }
    }

    /// The value of a header, without blanks around it. None if it is empty.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
    }
}

/// What a reader read.
pub(in crate::domain::inbound) struct Reading {
    /// The sender's id of this delivery, which it repeats when it retries.
    pub(in crate::domain::inbound) delivery_id: Option<String>,
    /// What is in the request.
    pub(in crate::domain::inbound) found: Found,
}

impl Reading {
    /// No event, for this reason.
    pub(super) fn ignored(reason: impl Into<String>) -> Self {
        Self { delivery_id: None, found: Found::Ignored(reason.into()) }
    }

    /// One event, of a delivery without an id.
    pub(super) fn event(event: NormalisedEvent) -> Self {
        Self { delivery_id: None, found: Found::Events(vec![event]) }
    }
}

/// What is in a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// At least one event, and at most 200.
    Events(Vec<NormalisedEvent>),
    /// A test of whether the address answers.
    Ping,
    /// A question to which this code is the answer; the sender posts nothing else before it has it.
    Handshake {
        /// The code that Event Grid expects.
        validation_code: String,
    },
    /// No event, for this reason, which people read.
    Ignored(String),
}
