//! Triggers: which events of a component create a release, and what it is called.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::channel::channel_name;
use super::release_name::ReleaseName;
use super::version_range::VersionRange;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::shared::expression::{Budget, Node, Pattern, Verdict};
use crate::domain::shared::filter::{self, Filter};
use crate::domain::shared::ids::TriggerId;
use crate::domain::shared::object_reader::ObjectReader;
use crate::error::Error;

/// The kinds of events that a trigger may be on, by their names on the wire.
pub(super) const ON: [(&str, EventKind); 4] = [
    ("artifact.pushed", EventKind::ArtifactPushed),
    ("ci.finished", EventKind::CiFinished),
    ("git.tag", EventKind::GitTag),
    ("release", EventKind::Release),
];

/// The results of senders for pipelines that did not succeed, in lower case and without spaces, `_` and `-`.
const FAILURES: [&str; 28] = [
    "aborted",
    "actionrequired",
    "blocked",
    "broken",
    "cancel",
    "canceled",
    "cancelled",
    "error",
    "errored",
    "fail",
    "failed",
    "failing",
    "failure",
    "false",
    "killed",
    "neutral",
    "notbuilt",
    "notrun",
    "partiallysucceeded",
    "skipped",
    "stale",
    "startupfailure",
    "stillfailing",
    "stopped",
    "timedout",
    "timeout",
    "unauthorized",
    "unstable",
];

/// The part of a trigger that the caller sets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// The name, for people.
    pub name: String,
    /// The kind of event: one of `artifact.pushed`, `ci.finished`, `git.tag` and `release`.
    pub on: EventKind,
    /// The pattern that the tag must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_pattern: Option<Pattern>,
    /// The range that the version must be in. Never together with a pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_range: Option<VersionRange>,
    /// The channels that the version may be in. Empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// Filters on the normalised event. All must match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
    /// Whether the event must have a digest that a registry could serve.
    #[serde(default)]
    pub require_digest: bool,
    /// The template for the names of its releases.
    #[serde(default)]
    pub release_name: ReleaseName,
    /// Whether it creates releases.
    pub enabled: bool,
}

/// A trigger, as it is stored inside its component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// The trigger's id.
    pub id: TriggerId,
    /// What the caller set.
    #[serde(flatten)]
    pub spec: Spec,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Trigger {
    /// The spec as JSON: what a PATCH is merged onto.
    #[must_use]
    pub fn spec_json(&self) -> Value {
        serde_json::to_value(&self.spec).unwrap_or(Value::Null)
    }

    /// Whether the trigger wants an event, whose tag is in `channel`, and on whose document, from `root`,
    /// filters are evaluated.
    ///
    /// - What the event does not have, does not match: without a tag no pattern, range or channel does.
    /// - A pipeline whose result is a sender's word for anything but success creates no release. One without
    ///   a result does.
    /// - A part of a pipeline (see [`NormalisedEvent::scope`]) creates no release. Otherwise a pipeline of
    ///   five jobs would create six.
    /// - An expression that fails does not match, and is noted in the budget.
    #[must_use]
    pub fn wants(
        &self,
        event: &NormalisedEvent,
        channel: Option<&str>,
        root: Node<'_>,
        budget: &mut Budget,
    ) -> bool {
        let spec = &self.spec;
        let tag = event.tag.as_deref();
        spec.enabled
            && spec.on == event.kind
            && !(spec.on == EventKind::CiFinished && event.result.as_deref().is_some_and(is_failure))
            && event.scope.is_none()
            && (!spec.require_digest || event.digest.is_some() && event.digest_valid)
            && spec.version_range.as_ref().is_none_or(|range| tag.is_some_and(|tag| range.has(tag)))
            && (spec.channels.is_empty()
                || channel.is_some_and(|channel| spec.channels.iter().any(|wanted| wanted == channel)))
            && self.has_tag(tag, budget)
            && filter::all_match(&spec.filters, &self.place(), root, budget)
    }

    /// Whether the tag matches the trigger's pattern, if it has one.
    fn has_tag(&self, tag: Option<&str>, budget: &mut Budget) -> bool {
        let Some(pattern) = &self.spec.tag_pattern else { return true };
        match tag.map(|tag| pattern.verdict(tag, budget)) {
            Some(Verdict::Failed(failure)) => {
                budget.note(&format!("{}tagPattern", self.place()), failure);
                false
            }
            verdict => verdict == Some(Verdict::Matches),
        }
    }

    /// The prefix of the places of its expressions.
    fn place(&self) -> String {
        format!("trigger {}: ", self.id)
    }

    /// What is wrong with stored expressions that would be refused now, each with its place.
    pub fn mistakes(&self) -> impl Iterator<Item = String> {
        let pattern = self.spec.tag_pattern.as_ref().and_then(Pattern::mistake);
        let pattern = pattern.map(|mistake| format!("tagPattern: {mistake}"));
        pattern.into_iter().chain(filter::mistakes(&self.spec.filters))
    }
}

/// Whether a sender's word for a result does not mean success.
fn is_failure(result: &str) -> bool {
    let mut word = result.to_lowercase();
    word.retain(|character| !matches!(character, ' ' | '_' | '-'));
    FAILURES.contains(&word.as_str())
}

/// Reads a trigger from a request.
///
/// # Errors
/// Unprocessable with every mistake.
pub fn parse(body: &Value) -> Result<Spec, Error> {
    ObjectReader::whole(body, read)
}

/// Reads the members of a trigger.
pub fn read(fields: &mut ObjectReader<'_>) -> Option<Spec> {
    let name = fields.required_text("name", 200);
    fields.require("on");
    let on = fields.one_of("on", &ON);
    let tag_pattern = fields.parsed("tagPattern", Pattern::of_tags);
    let version_range = fields.parsed("versionRange", VersionRange::parse);
    if fields.is_given("tagPattern") && fields.is_given("versionRange") {
        fields.wrong("versionRange", "cannot be given together with tagPattern");
    }
    let channels = fields.texts("channels", 20, channel_name).unwrap_or_default();
    let filters = fields.objects("filters", 20, Filter::parse).unwrap_or_default();
    let require_digest = fields.boolean_or("requireDigest", false);
    let release_name = fields.parsed("releaseName", ReleaseName::parse).unwrap_or_default();
    let enabled = fields.boolean_or("enabled", true);
    Some(Spec {
        name,
        on: on?,
        tag_pattern,
        version_range,
        channels,
        filters,
        require_digest,
        release_name,
        enabled,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn trigger(body: &Value) -> Trigger {
        let mut whole = json!({"name": "a trigger", "on": "artifact.pushed"});
        crate::domain::shared::merge_patch::merge(&mut whole, body);
        let (created_at, updated_at) = (DateTime::default(), DateTime::default());
        Trigger { id: uuid::Uuid::nil().into(), spec: parse(&whole).unwrap(), created_at, updated_at }
    }

    fn event(members: &Value) -> NormalisedEvent {
        let mut whole = json!({"kind": "artifact.pushed", "repository": "myorg/myapp", "tag": "v1.2.0",
            "receivedAt": "2026-01-09T10:30:00Z"});
        crate::domain::shared::merge_patch::merge(&mut whole, members);
        serde_json::from_value(whole).unwrap()
    }

    fn wants(body: &Value, members: &Value, channel: Option<&str>) -> bool {
        let event = event(members);
        let payload = json!({"pusher": {"name": "someone"}});
        let document = event.document(&payload);
        trigger(body).wants(&event, channel, document.root(), &mut Budget::default())
    }

    #[test]
    fn a_trigger_wants_an_event_if_all_of_its_conditions_match() {
        let valid = json!({"digest": "sha256:a", "digestValid": true});
        for (body, members, expected) in [
            (json!({}), json!({}), true),
            (json!({"enabled": false}), json!({}), false),
            (json!({}), json!({"kind": "git.tag"}), false),
            (json!({"on": "git.tag"}), json!({"kind": "git.tag"}), true),
            (json!({"on": "release"}), json!({"kind": "release"}), true),
            (json!({"tagPattern": "^v1"}), json!({}), true),
            (json!({"tagPattern": "^v2"}), json!({}), false),
            (json!({"tagPattern": "."}), json!({"tag": null}), false),
            (json!({"versionRange": "^1.2"}), json!({}), true),
            (json!({"versionRange": ">=2"}), json!({}), false),
            (json!({"versionRange": "*"}), json!({"tag": "latest"}), false),
            (json!({"versionRange": "*"}), json!({"tag": null}), false),
            (json!({"channels": ["rc", "stable"]}), json!({}), true),
            (json!({"channels": ["rc"]}), json!({}), false),
            (json!({"requireDigest": true}), json!({}), false),
            (json!({"requireDigest": true}), json!({"digest": "sha256:a"}), false),
            (json!({"requireDigest": true}), json!({"digestValid": true}), false),
            (json!({"requireDigest": true}), valid, true),
            (
                json!({"filters": [{"field": "$.payload.pusher.name", "operator": "equals", "value": "someone"}]}),
                json!({}),
                true,
            ),
            (
                json!({"filters": [{"field": "$.tag", "operator": "exists"},
                    {"field": "$.branch", "operator": "equals", "value": "main"}]}),
                json!({}),
                false,
            ),
        ] {
            assert_eq!(wants(&body, &members, Some("stable")), expected, "{body} and {members}");
        }
        assert!(!wants(&json!({"channels": ["stable"]}), &json!({}), None));
    }

    #[test]
    fn a_pipeline_that_failed_creates_no_release() {
        for (result, expected) in [
            (json!("success"), true),
            (json!("SUCCESS"), true),
            (json!("passed"), true),
            (json!("Succeeded"), true),
            (json!("deployed to mars"), true),
            (Value::Null, true),
            (json!("failure"), false),
            (json!("FAILED"), false),
            (json!("timed_out"), false),
            (json!("Still Failing"), false),
            (json!("partiallySucceeded"), false),
            (json!("NOT_BUILT"), false),
            (json!("cancelled"), false),
        ] {
            let members = json!({"kind": "ci.finished", "tag": null, "result": result});
            assert_eq!(wants(&json!({"on": "ci.finished"}), &members, None), expected, "{result}");
        }
        assert!(wants(&json!({}), &json!({"result": "failure"}), None));
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let body = json!({"on": "git.push", "tagPattern": "(", "versionRange": "one", "channels": ["a b"],
            "filters": [{"field": "a"}], "requireDigest": 1, "releaseName": "{version}", "enabled": "yes", "colour": 1});
        let error = parse(&body).unwrap_err();
        let fields: Vec<&str> = error.errors.iter().map(|error| error.field.as_str()).collect();
        for field in [
            "name",
            "on",
            "tagPattern",
            "versionRange",
            "channels[0]",
            "filters[0].operator",
            "requireDigest",
            "releaseName",
            "enabled",
            "colour",
        ] {
            assert!(fields.contains(&field), "{field} is not among {fields:?}");
        }
        let both = json!({"name": "a", "on": "release", "tagPattern": "a", "versionRange": "1"});
        assert_eq!(parse(&both).unwrap_err().errors[0].field, "versionRange");
    }

    #[test]
    fn a_written_spec_parses_to_the_same_spec() {
        let body = json!({"tagPattern": "^v1", "channels": ["stable"], "requireDigest": true,
            "filters": [{"field": "$.tag", "operator": "exists"}], "releaseName": "{tag}"});
        let before = trigger(&body);
        assert_eq!(parse(&before.spec_json()).unwrap(), before.spec);
        let stored = serde_json::to_value(&before).unwrap();
        assert_eq!(serde_json::from_value::<Trigger>(stored).unwrap(), before);
    }

    #[test]
    fn a_view_has_the_spec_as_it_was_written() {
        let view = json!(trigger(&json!({"versionRange": "^1"})).view());
        assert_eq!(view["on"], "artifact.pushed");
        assert_eq!(view["versionRange"], "^1");
        assert_eq!(view["releaseName"], "{component}-{tag}");
        assert_eq!(view["enabled"], true);
        assert_eq!(view.get("tagPattern"), None);
    }
}
