//! Releases: a component at one version, created once by one trigger.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::version::Source;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::shared::ids::{ComponentId, ReceiptId, ReleaseId, TenantId, TriggerId};

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

/// The identity of a release, for which there is one release only: a hex hash of the trigger and
///
/// - of a finished pipeline, the commit; or else repository and run; or else the receipt. Its name, its time and its
///   attempts are no part of it: a commit is released once, whichever of its pipelines activate the trigger;
/// - of a branch, its name and the commit;
/// - of a version, the tag, how often it was moved, and the digest; or else the commit; or else when it was pushed;
///   or else the receipt.
#[must_use]
pub fn identity(
    trigger: TriggerId,
    event: &NormalisedEvent,
    retags: u32,
    receipt: Option<ReceiptId>,
) -> String {
    let (what, content) = content(event).unwrap_or_else(|| {
        ("receipt", receipt.map_or_else(|| event.received_at.to_rfc3339(), |receipt| receipt.to_string()))
    });
    let tag = match event.kind {
        EventKind::CiFinished => "",
        EventKind::GitPush => event.branch.as_deref().unwrap_or_default(),
        _ => event.tag.as_deref().unwrap_or_default(),
    };
    let mut hash = Sha256::new();
    // Each part is hashed with its length, so that no two lists of parts give the same bytes.
    for part in [&trigger.to_string(), event.kind.name(), tag, what, &content, &retags.to_string()] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

/// What tells the content of the event from other contents.
fn content(event: &NormalisedEvent) -> Option<(&'static str, String)> {
    let commit = || Some(("commit", event.commit.clone()?));
    match event.kind {
        EventKind::CiFinished => {
            let run = || Some(("run", format!("{} {}", event.repository, event.run_id.as_ref()?)));
            commit().or_else(run)
        }
        _ => (event.digest.clone().map(|digest| ("digest", digest)))
            .or_else(commit)
            .or_else(|| Some(("pushedAt", event.pushed_at?.to_rfc3339()))),
    }
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

    fn pipeline(commit: Option<&str>, run_id: Option<&str>) -> NormalisedEvent {
        let mut event = NormalisedEvent::new(EventKind::CiFinished, "myorg/myapp", DateTime::default());
        (event.commit, event.run_id) = (commit.map(str::to_owned), run_id.map(str::to_owned));
        event
    }

    #[test]
    fn a_pipeline_is_its_commit_or_else_its_run_or_else_its_request() {
        let of = |event: &NormalisedEvent, receipt: u128| {
            identity(Uuid::nil().into(), event, 0, Some(Uuid::from_u128(receipt).into()))
        };
        let mut first = pipeline(Some("a"), Some("7"));
        let mut again = pipeline(Some("a"), Some("8"));
        (first.pushed_at, again.pushed_at) = (DateTime::from_timestamp(1, 0), DateTime::from_timestamp(2, 0));
        (first.pipeline, again.pipeline) = (Some("build".to_owned()), Some("release".to_owned()));
        assert_eq!(of(&first, 1), of(&again, 2), "two workflows of one commit");
        assert_ne!(of(&first, 1), of(&pipeline(Some("b"), Some("7")), 1), "two commits that end at once");
        assert_eq!(of(&pipeline(None, Some("7")), 1), of(&pipeline(None, Some("7")), 2));
        assert_ne!(of(&pipeline(None, Some("7")), 1), of(&pipeline(None, Some("8")), 1));
        assert_eq!(of(&pipeline(None, None), 1), of(&pipeline(None, None), 1));
        assert_ne!(of(&pipeline(None, None), 1), of(&pipeline(None, None), 2));
    }

    /// The facts that tell one release of a version from another.
    type Identifying = (u128, Option<String>, Option<String>, Option<i64>, Option<String>, u32);

    fn identifying() -> impl Strategy<Value = Identifying> {
        let text = || proptest::option::of("[ab]{1,2}");
        (0..2_u128, text(), text(), proptest::option::of(0..2_i64), text(), 0..2_u32)
    }

    fn of((trigger, tag, digest, time, commit, retags): Identifying) -> String {
        let mut event = NormalisedEvent::new(EventKind::ArtifactPushed, "a", DateTime::default());
        (event.tag, event.digest, event.commit) = (tag, digest, commit);
        event.pushed_at = time.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        identity(Uuid::from_u128(trigger).into(), &event, retags, None)
    }

    /// The facts that count: of the content the digest, or else the commit, or else the time.
    fn first_known((trigger, tag, digest, time, commit, retags): Identifying) -> Identifying {
        let commit = commit.filter(|_| digest.is_none());
        let time = time.filter(|_| digest.is_none() && commit.is_none());
        (trigger, tag, digest, time, commit, retags)
    }

    proptest! {
        #[test]
        fn identities_differ_exactly_if_trigger_tag_content_or_retags_do(a in identifying(), b in identifying()) {
            prop_assert_eq!(of(a.clone()) == of(b.clone()), first_known(a) == first_known(b));
        }
    }
}
