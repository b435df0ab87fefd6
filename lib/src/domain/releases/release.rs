//! Releases: a component at one version, created once by one trigger.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::version::Source;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::shared::ids::{ComponentId, ReleaseId, TenantId, TriggerId};

/// The state of a release, as far as this service knows it.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The release was created. What happens to it later is in the events of others.
    Created,
}

/// A component in a release.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleasedComponent {
    /// The component's id.
    pub id: ComponentId,
    /// The component's name at that time.
    pub name: String,
    /// The tag, if the event has one.
    #[serde(default)]
    pub tag: Option<String>,
    /// The digest, if the event has one.
    #[serde(default)]
    pub digest: Option<String>,
}

/// The trigger that created a release.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleasingTrigger {
    /// The trigger's id.
    pub id: TriggerId,
    /// The trigger's name at that time.
    pub name: String,
}

/// The facts of the event that created a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// The event's kind.
    pub kind: EventKind,
    /// The webhook config that it came in by, and its repository.
    #[serde(flatten)]
    pub source: Source,
    /// The channel of its tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Whether the digest is one that a registry could serve. See [`NormalisedEvent::digest_valid`].
    #[serde(default)]
    pub digest_valid: bool,
    /// The commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// When it happened, by the sender's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<DateTime<Utc>>,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pusher: Option<String>,
    /// A page about it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Facts {
    /// The facts of an event.
    #[must_use]
    pub fn of(event: &NormalisedEvent, source: Source, channel: Option<&str>) -> Self {
        Self {
            kind: event.kind,
            source,
            channel: channel.map(str::to_owned),
            digest_valid: event.digest_valid,
            commit: event.commit.clone(),
            branch: event.branch.clone(),
            pushed_at: event.pushed_at,
            pusher: event.pusher.clone(),
            url: event.url.clone(),
        }
    }
}

/// A release, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// The release's id.
    pub id: ReleaseId,
    /// The owning tenant.
    pub tenant_id: TenantId,
    /// The name, for people.
    pub name: String,
    /// The status.
    pub status: Status,
    /// The components. It is one, because a trigger belongs to one component.
    pub components: Vec<ReleasedComponent>,
    /// The trigger that created it.
    pub trigger: ReleasingTrigger,
    /// The facts of the event.
    pub source: Facts,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

impl Release {
    /// The data of the domain event `release.created`.
    #[must_use]
    pub fn event_data(&self) -> Value {
        json!({
            "release": {
                "id": self.id,
                "name": self.name,
                "status": self.status,
                "components": self.components,
            },
            "trigger": {"id": self.trigger.id, "name": self.trigger.name, "kind": self.source.kind},
            "source": self.source.view(),
            "createdAt": crate::domain::shared::time::timestamp(self.created_at),
        })
    }
}

/// The identity of a release, for which there is one release only: a hex hash of the trigger, the tag, the
/// content (the event's digest, or else when it was pushed, or else its commit), and how often the tag was
/// moved.
///
/// A pipeline has no retags. If its event has neither digest nor time nor commit, the content is its run, or
/// else the time at which we received it: two pipelines of which nothing is known are two.
#[must_use]
pub fn identity(trigger: TriggerId, event: &NormalisedEvent, retags: u32) -> String {
    let (kind, content) = content(event);
    let mut hash = Sha256::new();
    // Each part is hashed with its length, so that no two lists of parts give the same bytes.
    for part in
        [&trigger.to_string(), event.tag.as_deref().unwrap_or_default(), kind, &content, &retags.to_string()]
    {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

fn content(event: &NormalisedEvent) -> (&'static str, String) {
    let is_pipeline = event.kind == EventKind::CiFinished;
    None.or_else(|| event.digest.as_ref().map(|digest| ("digest", digest.clone())))
        .or_else(|| event.pushed_at.map(|time| ("pushedAt", time.to_rfc3339())))
        .or_else(|| event.commit.as_ref().map(|commit| ("commit", commit.clone())))
        .or_else(|| event.run.as_ref().filter(|_| is_pipeline).map(|run| ("run", run.clone())))
        .or_else(|| is_pipeline.then(|| ("receivedAt", event.received_at.to_rfc3339())))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::outbound::event_type::EventType;

    fn release() -> Release {
        let mut event = NormalisedEvent::new(
            EventKind::ArtifactPushed,
            "myorg/myapp",
            "2026-01-09T10:30:00Z".parse().unwrap(),
        );
        event.pushed_at = "2026-01-09T10:29:59.123456Z".parse().ok();
        event.branch = Some("main".to_owned());
        let source = Source::of(Uuid::from_u128(5).into(), "harbor", &event);
        Release {
            id: Uuid::from_u128(1).into(),
            tenant_id: Uuid::from_u128(2).into(),
            name: "myapp-v1.2.0".to_owned(),
            status: Status::Created,
            components: vec![ReleasedComponent {
                id: Uuid::from_u128(3).into(),
                name: "myapp".to_owned(),
                tag: Some("v1.2.0".to_owned()),
                digest: None,
            }],
            trigger: ReleasingTrigger { id: Uuid::from_u128(4).into(), name: "stable images".to_owned() },
            source: Facts::of(&event, source, Some("stable")),
            created_at: event.received_at,
        }
    }

    #[test]
    fn its_event_fits_the_schema_and_has_the_members_of_the_example() {
        let data = release().event_data();
        assert_eq!(EventType::ReleaseCreated.check(&data), []);
        let example = EventType::ReleaseCreated.example();
        for (name, value) in example.as_object().unwrap() {
            assert_eq!(value.is_object(), data[name].is_object(), "{name}");
            for inner in value.as_object().into_iter().flatten().map(|(inner, _)| inner) {
                assert!(data[name].get(inner).is_some(), "{name}.{inner}");
            }
        }
        assert_eq!(data["release"]["components"][0]["digest"], Value::Null);
        assert_eq!(data["trigger"]["kind"], "artifact.pushed");
    }

    #[test]
    fn a_view_is_as_the_contract_has_it() {
        let view = json!(release().view());
        assert_eq!(view["status"], "created");
        assert_eq!(view["createdAt"], "2026-01-09T10:30:00.000Z");
        assert_eq!(view["components"][0]["tag"], "v1.2.0");
        assert_eq!(view["trigger"]["name"], "stable images");
        let source = json!({"kind": "artifact.pushed", "configId": Uuid::from_u128(5), "provider": "harbor",
            "repository": "myorg/myapp", "channel": "stable", "digestValid": false, "branch": "main",
            "pushedAt": "2026-01-09T10:29:59.123Z"});
        assert_eq!(view["source"], source);
    }

    #[test]
    fn a_stored_release_reads_back() {
        let stored = serde_json::to_value(release()).unwrap();
        assert_eq!(serde_json::from_value::<Release>(stored).unwrap(), release());
    }

    #[test]
    fn two_pipelines_without_facts_differ_and_two_events_of_one_run_do_not() {
        let id = Uuid::nil().into();
        let mut first = NormalisedEvent::new(EventKind::CiFinished, "a", DateTime::default());
        let mut second = first.clone();
        second.received_at = DateTime::from_timestamp_millis(1).unwrap();
        assert_ne!(identity(id, &first, 0), identity(id, &second, 0));
        first.run = Some("7".to_owned());
        second.run = Some("7".to_owned());
        assert_eq!(identity(id, &first, 0), identity(id, &second, 0));
    }

    /// The facts that tell one release from another.
    type Identifying = (u128, Option<String>, Option<String>, Option<i64>, Option<String>, u32);

    fn identifying() -> impl Strategy<Value = Identifying> {
        let text = || proptest::option::of("[ab]{1,2}");
        (0..2_u128, text(), text(), proptest::option::of(0..2_i64), text(), 0..2_u32)
    }

    fn of((trigger, tag, digest, time, commit, retags): Identifying) -> String {
        let mut event = NormalisedEvent::new(EventKind::ArtifactPushed, "a", DateTime::default());
        (event.tag, event.digest, event.commit) = (tag, digest, commit);
        event.pushed_at = time.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        identity(Uuid::from_u128(trigger).into(), &event, retags)
    }

    /// The facts that count: of the content the digest, or else the time, or else the commit.
    fn first_known((trigger, tag, digest, time, commit, retags): Identifying) -> Identifying {
        let time = time.filter(|_| digest.is_none());
        let commit = commit.filter(|_| digest.is_none() && time.is_none());
        (trigger, tag, digest, time, commit, retags)
    }

    proptest! {
        #[test]
        fn identities_differ_exactly_if_trigger_tag_content_or_retags_do(a in identifying(), b in identifying()) {
            prop_assert_eq!(of(a.clone()) == of(b.clone()), first_known(a) == first_known(b));
        }
    }
}
