//! The types of domain events: their names, the schemas of their data, and the patterns that select them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::shared::schema;
use crate::error::FieldError;

macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A type of domain event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "&'static str", try_from = "String")]
        pub enum EventType {
            $($(#[$doc])* $variant,)*
        }

        impl EventType {
            /// Every type, the operational ones last.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name on the wire, as in `deployment.completed`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            fn source(self) -> &'static str {
                match self {
                    $(Self::$variant => include_str!(concat!("event_type/", $name, ".json")),)*
                }
            }
        }
    };
}

event_types! {
    /// A release was created.
    ReleaseCreated = "release.created",
    /// A promotion was requested.
    PromotionRequested = "promotion.requested",
    /// A promotion was approved.
    PromotionApproved = "promotion.approved",
    /// A promotion was rejected.
    PromotionRejected = "promotion.rejected",
    /// A deployment started.
    DeploymentStarted = "deployment.started",
    /// A deployment completed.
    DeploymentCompleted = "deployment.completed",
    /// A deployment failed.
    DeploymentFailed = "deployment.failed",
    /// A rollback was initiated.
    RollbackInitiated = "rollback.initiated",
    /// Operational: the service disabled a subscription.
    SubscriptionDisabled = "subscription.disabled",
    /// Operational: a delivery failed for the last time.
    DeliveryExhausted = "delivery.exhausted",
}

/// The content of a type's file.
#[derive(Debug, Default, Deserialize)]
struct Definition {
    description: String,
    schema: Value,
    example: Value,
}

/// The definitions, from the files that are embedded in the binary. A test proves that each can be read.
static DEFINITIONS: LazyLock<BTreeMap<EventType, Definition>> = LazyLock::new(|| {
    let read = |kind: &EventType| (*kind, serde_json::from_str(kind.source()).unwrap_or_default());
    EventType::ALL.iter().map(read).collect()
});

impl EventType {
    fn definition(self) -> Option<&'static Definition> {
        DEFINITIONS.get(&self)
    }

    /// What the type means, in a sentence.
    #[must_use]
    pub fn description(self) -> &'static str {
        self.definition().map_or("", |definition| &definition.description)
    }

    /// The JSON Schema of `data`; members that it does not name are allowed.
    #[must_use]
    pub fn schema(self) -> Value {
        self.definition().map(|definition| definition.schema.clone()).unwrap_or_default()
    }

    /// An example of `data`.
    #[must_use]
    pub fn example(self) -> Value {
        self.definition().map(|definition| definition.example.clone()).unwrap_or_default()
    }

    /// Every mistake in an event's `data`, by paths that start with `data`.
    #[must_use]
    pub fn check(self, data: &Value) -> Vec<FieldError> {
        self.definition()
            .map(|definition| schema::check(&definition.schema, "data", data))
            .unwrap_or_default()
    }

    /// Whether events of the type are about the service itself. They are raised only if a subscription names
    /// the type, `*` does not select them, and callers cannot publish them.
    #[must_use]
    pub fn is_operational(self) -> bool {
        match self {
            Self::SubscriptionDisabled | Self::DeliveryExhausted => true,
            Self::ReleaseCreated
            | Self::PromotionRequested
            | Self::PromotionApproved
            | Self::PromotionRejected
            | Self::DeploymentStarted
            | Self::DeploymentCompleted
            | Self::DeploymentFailed
            | Self::RollbackInitiated => false,
        }
    }

    /// The types that callers can publish, with their names.
    #[must_use]
    pub fn published() -> Vec<(&'static str, Self)> {
        let published = Self::ALL.iter().filter(|kind| !kind.is_operational());
        published.map(|kind| (kind.name(), *kind)).collect()
    }

    /// The noun of the name: what precedes the dot.
    #[must_use]
    pub fn group(self) -> &'static str {
        self.name().split('.').next().unwrap_or_default()
    }

    /// The patterns that select this type. Fan-out queries the subscriptions of each.
    #[must_use]
    pub fn patterns(self) -> Vec<EventPattern> {
        let mut patterns = vec![EventPattern::One(self), EventPattern::Group(Group(self.group()))];
        if !self.is_operational() {
            patterns.push(EventPattern::Every);
        }
        patterns
    }
}

impl From<EventType> for &'static str {
    fn from(kind: EventType) -> Self {
        kind.name()
    }
}

impl FromStr for EventType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kind = Self::ALL.iter().find(|kind| kind.name() == text).copied();
        kind.ok_or_else(|| "is not an event type; GET /api/v1/event-types lists them".to_owned())
    }
}

impl TryFrom<String> for EventType {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A noun with which names of event types begin. Comes from a parsed pattern or from a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(&'static str);

/// A pattern by which a subscription selects event types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum EventPattern {
    /// `*`: every type that is not operational.
    Every,
    /// `deployment.*`: every type of one noun.
    Group(Group),
    /// One type by its name.
    One(EventType),
}

impl EventPattern {
    /// Every pattern, with its text.
    #[must_use]
    pub fn names() -> Vec<String> {
        let groups: BTreeSet<Self> =
            EventType::ALL.iter().map(|kind| Self::Group(Group(kind.group()))).collect();
        let all =
            [Self::Every].into_iter().chain(groups).chain(EventType::ALL.iter().copied().map(Self::One));
        all.map(Into::into).collect()
    }

    /// Whether the pattern selects this type.
    #[must_use]
    pub fn matches(self, kind: EventType) -> bool {
        match self {
            Self::Every => !kind.is_operational(),
            Self::Group(Group(group)) => kind.group() == group,
            Self::One(one) => one == kind,
        }
    }
}

impl FromStr for EventPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" {
            return Ok(Self::Every);
        }
        let group = text.strip_suffix(".*");
        let known = EventType::ALL.iter().find(|kind| Some(kind.group()) == group);
        known
            .map(|kind| Self::Group(Group(kind.group())))
            .or_else(|| text.parse().ok().map(Self::One))
            .ok_or_else(|| "must be an event type, a group such as deployment.*, or *".to_owned())
    }
}

impl TryFrom<String> for EventPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<EventPattern> for String {
    fn from(pattern: EventPattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("*"),
            Self::Group(Group(group)) => write!(f, "{group}.*"),
            Self::One(kind) => kind.fmt(f),
        }
    }
}

/// A type of domain event.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "EventType"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventTypeView {
    /// The name, as in `deployment.completed`.
    pub name: EventType,
    /// What happened, in a sentence.
    pub description: &'static str,
    /// Whether it is about this service itself. Such events are raised only if a subscription names their
    /// type, and `POST /events` refuses them.
    pub operational: bool,
    /// The JSON Schema of `data`.
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Map<String, Value>"))]
    pub schema: Value,
    /// An example of `data`.
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Map<String, Value>"))]
    pub example: Value,
}

impl EventType {
    /// The type as callers see it.
    #[must_use]
    pub fn view(self) -> EventTypeView {
        EventTypeView {
            name: self,
            description: self.description(),
            operational: self.is_operational(),
            schema: self.schema(),
            example: self.example(),
        }
    }
}

names_schema!(EventType as "EventName", "The type of a domain event.", EventType::ALL);
names_schema!(
    EventPattern as "EventPattern",
    "Which types of events: one by its name, a group as in `deployment.*`, or `*` for all that are not operational.",
    EventPattern::names()
);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_definition_can_be_read_and_its_example_fits_its_schema() {
        for kind in EventType::ALL {
            let definition: Definition = serde_json::from_str(kind.source()).unwrap();
            assert!(!definition.description.is_empty());
            assert_eq!(definition.schema["title"], kind.name());
            assert!(schema::is_understood(&definition.schema), "{kind}");
            assert!(kind.check(&kind.example()).is_empty(), "{kind}");
            assert!(kind.example().is_object());
        }
    }

    #[test]
    fn eight_types_can_be_published_and_two_are_operational() {
        let (own, published): (Vec<EventType>, Vec<EventType>) =
            EventType::ALL.iter().copied().partition(|kind| kind.is_operational());
        assert_eq!((published.len(), own.len()), (8, 2));
    }

    #[test]
    fn a_name_parses_to_its_type() {
        for kind in EventType::ALL {
            assert_eq!(kind.name().parse::<EventType>(), Ok(*kind));
            let wire = serde_json::to_value(kind).unwrap();
            assert_eq!(wire, json!(kind.name()));
            assert_eq!(serde_json::from_value::<EventType>(wire).unwrap(), *kind);
        }
        assert!("deployment.exploded".parse::<EventType>().is_err());
        assert!("Deployment.Completed".parse::<EventType>().is_err());
    }

    #[test]
    fn mistakes_in_data_have_their_paths() {
        let data = json!({"deploymentJob": {"id": 5}, "release": [], "extra": true});
        let mut mistakes: Vec<String> =
            EventType::DeploymentCompleted.check(&data).into_iter().map(|error| error.field).collect();
        mistakes.sort();
        assert_eq!(
            mistakes,
            ["data.deploymentJob.id", "data.deploymentJob.status", "data.environment", "data.release"]
        );
    }

    #[test]
    fn patterns_select_one_a_group_or_every_type() {
        let matches = |pattern: &str, kind| pattern.parse::<EventPattern>().unwrap().matches(kind);
        assert!(matches("deployment.completed", EventType::DeploymentCompleted));
        assert!(!matches("deployment.completed", EventType::DeploymentFailed));
        assert!(matches("deployment.*", EventType::DeploymentFailed));
        assert!(!matches("deployment.*", EventType::ReleaseCreated));
        assert!(matches("*", EventType::ReleaseCreated));
    }

    #[test]
    fn an_operational_type_must_be_named() {
        assert!(!EventPattern::Every.matches(EventType::SubscriptionDisabled));
        assert!("delivery.*".parse::<EventPattern>().unwrap().matches(EventType::DeliveryExhausted));
    }

    #[test]
    fn the_keys_of_a_type_are_exactly_the_patterns_that_match_it() {
        let texts =
            ["*", "release.*", "promotion.*", "deployment.*", "rollback.*", "subscription.*", "delivery.*"];
        let names = EventType::ALL.iter().map(|kind| kind.name());
        let all: Vec<EventPattern> =
            texts.into_iter().chain(names).map(|text| text.parse().unwrap()).collect();
        for kind in EventType::ALL {
            let mut matching: Vec<EventPattern> =
                all.iter().copied().filter(|pattern| pattern.matches(*kind)).collect();
            let mut keys = kind.patterns();
            matching.sort();
            keys.sort();
            assert_eq!(keys, matching, "{kind}");
        }
        let keys: Vec<String> =
            EventType::DeploymentCompleted.patterns().into_iter().map(Into::into).collect();
        assert_eq!(keys, ["deployment.completed", "deployment.*", "*"]);
    }

    #[test]
    fn unknown_patterns_are_refused() {
        for text in
            ["", "**", "*.completed", "deploy.*", "deployment", "deployment.", "deployment.*.*", ".*", "x.y"]
        {
            assert!(text.parse::<EventPattern>().is_err(), "{text}");
        }
    }
}
