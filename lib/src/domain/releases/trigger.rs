//! Triggers: which events of a component create a release, and what it is called.

use std::ops::Not;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::channel::channel_name;
use super::release_name::ReleaseName;
use super::version_range::VersionRange;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent, PipelineResult};
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

/// The part of a trigger that the caller sets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a member of its own on the wire")]
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
    /// The names of the pipelines that it is for. Empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pipelines: Vec<String>,
    /// Whether pipelines of pull requests count.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub pull_requests: bool,
    /// Whether those count whose commits come, or may come, from a fork.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub forks: bool,
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

    /// Why the trigger does not want an event of its kind, for a person; `None` if it does. The event's tag
    /// without the component's prefix is `rest` and in `channel`, and filters are evaluated on its document,
    /// from `root`. The pattern sees the whole tag.
    ///
    /// - What the event does not have, does not match: without a tag no pattern, range or channel does.
    /// - A pipeline makes a release only if it is known to have succeeded.
    /// - A pipeline of a pull request makes one only if the trigger takes those, and one of a fork only if it takes
    ///   those as well: who can open a pull request decides what is in it.
    /// - A part of a pipeline (see [`NormalisedEvent::scope`]) makes none. Otherwise a pipeline of five jobs would
    ///   make six.
    /// - An expression that fails does not match, and is noted in the budget.
    #[must_use]
    pub fn refusal(
        &self,
        event: &NormalisedEvent,
        rest: Option<&str>,
        channel: Option<&str>,
        root: Node<'_>,
        budget: &mut Budget,
    ) -> Option<String> {
        let spec = &self.spec;
        if !spec.enabled {
            return Some("the trigger is disabled".to_owned());
        }
        if spec.on == EventKind::CiFinished
            && let Some(reason) = self.pipeline_refusal(event)
        {
            return Some(reason);
        }
        if let Some(scope) = &event.scope {
            return Some(format!("the event is of a part of the pipeline ({scope})"));
        }
        if spec.require_digest && !(event.digest.is_some() && event.digest_valid) {
            return Some(digest_refusal(event));
        }
        if let Some(range) = &spec.version_range
            && !rest.is_some_and(|rest| range.has(rest))
        {
            return Some("the version is not in versionRange".to_owned());
        }
        let in_channels = spec.channels.is_empty()
            || channel.is_some_and(|channel| spec.channels.iter().any(|one| one == channel));
        if !in_channels {
            return Some(format!("the channel is {}", channel.unwrap_or("not known")));
        }
        if !self.has_tag(event.tag.as_deref(), budget) {
            return Some("the tag does not match tagPattern".to_owned());
        }
        let matches = filter::all_match(&spec.filters, &self.place(), root, budget);
        (!matches).then(|| "the filters do not match".to_owned())
    }

    /// Why the trigger does not want a finished pipeline, apart from its expressions.
    fn pipeline_refusal(&self, event: &NormalisedEvent) -> Option<String> {
        let spec = &self.spec;
        let text = event.result_text.as_deref();
        match event.result {
            Some(PipelineResult::Success) => {}
            Some(result) => {
                let word = text.unwrap_or(result.name());
                return Some(format!("the result is \"{word}\", which does not mean success"));
            }
            None => return Some("the event has no result".to_owned()),
        }
        if !spec.pipelines.is_empty()
            && !event.pipeline.as_ref().is_some_and(|name| spec.pipelines.contains(name))
        {
            let name = event.pipeline.as_deref().map_or("not named".to_owned(), |name| format!("\"{name}\""));
            return Some(format!("the pipeline is {name}"));
        }
        let request = event.pull_request.as_ref()?;
        let number = request.number.map(|number| format!(" {number}")).unwrap_or_default();
        if !spec.pull_requests {
            return Some(format!("the pipeline ran for pull request{number}, and pullRequests is false"));
        }
        (request.may_be_of_fork() && !spec.forks)
            .then(|| format!("pull request{number} is, or may be, of a fork, and forks is false"))
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

/// Why an event does not have the digest that `requireDigest` asks for.
fn digest_refusal(event: &NormalisedEvent) -> String {
    match &event.digest {
        None => "requireDigest is set, and the sender sent no digest".to_owned(),
        Some(_) => {
            "requireDigest is set, and no registry could serve the digest that the sender sent".to_owned()
        }
    }
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
    let pipelines = fields.texts("pipelines", 20, pipeline_name).unwrap_or_default();
    let pull_requests = fields.boolean_or("pullRequests", false);
    let forks = fields.boolean_or("forks", false);
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
        pipelines,
        pull_requests,
        forks,
        release_name,
        enabled,
    })
}

fn pipeline_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() || name.len() > 512 {
        Err("must have 1 to 512 bytes".to_owned())
    } else {
        Ok(name.to_owned())
    }
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
        trigger(body)
            .refusal(&event, event.tag.as_deref(), channel, document.root(), &mut Budget::default())
            .is_none()
            && trigger(body).spec.on == event.kind
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

    fn pipeline_refusal(body: &Value, members: &Value) -> Option<String> {
        let mut whole = json!({"on": "ci.finished"});
        crate::domain::shared::merge_patch::merge(&mut whole, body);
        let mut pipeline = json!({"kind": "ci.finished", "tag": null, "result": "success"});
        crate::domain::shared::merge_patch::merge(&mut pipeline, members);
        let event = event(&pipeline);
        let document = event.document(&Value::Null);
        trigger(&whole).refusal(&event, event.tag.as_deref(), None, document.root(), &mut Budget::default())
    }

    #[test]
    fn only_a_pipeline_that_succeeded_creates_a_release() {
        assert_eq!(pipeline_refusal(&json!({}), &json!({})), None);
        for (result, text) in [
            (json!("failure"), json!("timed_out")),
            (json!("cancelled"), json!("cancelled")),
            (json!("skipped"), json!("skipped")),
            (json!("other"), json!("deployed to mars")),
        ] {
            let reason =
                pipeline_refusal(&json!({}), &json!({"result": result, "resultText": text})).unwrap();
            assert!(reason.contains(text.as_str().unwrap()), "{reason}");
        }
        let reason = pipeline_refusal(&json!({}), &json!({"result": null}));
        assert_eq!(reason.as_deref(), Some("the event has no result"));
        assert!(wants(&json!({}), &json!({"result": "failure"}), None), "a push has no result that counts");
    }

    #[test]
    fn a_pipeline_of_a_pull_request_counts_only_if_the_trigger_takes_those() {
        let (requests, forks) = (json!({"pullRequests": true}), json!({"pullRequests": true, "forks": true}));
        for (request, by_default, with_requests) in [
            (json!({"number": 5, "fork": false}), false, true),
            (json!({"number": 5, "fork": true}), false, false),
            (json!({"number": 5}), false, false),
            (json!({}), false, false),
        ] {
            let members = json!({ "pullRequest": request });
            assert_eq!(pipeline_refusal(&json!({}), &members).is_none(), by_default, "{request}");
            assert_eq!(pipeline_refusal(&requests, &members).is_none(), with_requests, "{request}");
            assert_eq!(pipeline_refusal(&forks, &members), None, "{request}");
        }
        let only_forks = json!({"forks": true});
        assert!(pipeline_refusal(&only_forks, &json!({"pullRequest": {"fork": true}})).is_some());
    }

    #[test]
    fn a_trigger_names_the_pipelines_that_it_is_for() {
        let body = json!({"pipelines": ["build", "release"]});
        assert_eq!(pipeline_refusal(&body, &json!({"pipeline": "release"})), None);
        let reason = pipeline_refusal(&body, &json!({"pipeline": "lint"}));
        assert_eq!(reason.as_deref(), Some("the pipeline is \"lint\""));
        assert_eq!(pipeline_refusal(&body, &json!({})).as_deref(), Some("the pipeline is not named"));
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
