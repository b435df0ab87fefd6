//! A component: what is released, the repositories it comes from, and its triggers.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::channel::ChannelRule;
use super::tag_prefix::TagPrefixes;
use super::trigger::{self, Trigger};
use crate::domain::inbound::repository::{Repository, Space};
use crate::domain::shared::ids::{ComponentId, TenantId, TriggerId};
use crate::domain::shared::object_reader::ObjectReader;
use crate::error::{Code, Error, Kind};

/// The maximum number of repositories of each kind. A change of all of them, old and new, must fit one
/// DynamoDB transaction of 100 writes.
pub const MAX_REPOSITORIES: usize = 24;

/// The maximum number of triggers. The three writes of each release that one push creates, and five writes
/// for the version and the records of the push, must fit one DynamoDB transaction of 100 writes.
pub const MAX_TRIGGERS: usize = 30;

/// The maximum size of a stored component, in bytes. A change writes it once, and once for each name that it
/// is found by, and all of that must fit one DynamoDB transaction of 4 MB.
pub const MAX_BYTES: usize = 40 * 1024;

/// The part of a component that the caller sets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// The name, for people and for the names of releases.
    pub name: String,
    /// The repositories that its images or other artifacts are pushed to.
    #[serde(default)]
    pub repositories: Vec<Repository>,
    /// The repositories of its source.
    #[serde(default)]
    pub source_repositories: Vec<Repository>,
    /// The prefixes of its tags, if it shares its repositories with other components.
    #[serde(default, skip_serializing_if = "TagPrefixes::is_empty")]
    pub tag_prefixes: TagPrefixes,
    /// The channels of its tags, before the default rules (see [`channel_of`](super::channel::channel_of)).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channel_rules: Vec<ChannelRule>,
}

/// A component, as it is stored, and copied under each name that it is found by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// The component's id.
    pub id: ComponentId,
    /// The owning tenant.
    pub tenant_id: TenantId,
    /// What the caller set.
    #[serde(flatten)]
    pub spec: Spec,
    /// Its triggers, oldest first.
    #[serde(default)]
    pub triggers: Vec<Trigger>,
    /// Whether each stored release of a finished pipeline has a guard of the present
    /// [`identity`](super::release::identity). Those of components that versions before 0.2 stored have not.
    #[serde(default)]
    pub has_guards: bool,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it or one of its triggers was last changed.
    pub updated_at: DateTime<Utc>,
    /// The number of writes so far. Each write names the one before.
    pub revision: u64,
}

/// Reads the members of a component.
pub fn read(fields: &mut ObjectReader<'_>) -> Option<Spec> {
    let name = fields.required_text("name", 200);
    let mut repositories = |name| fields.texts(name, MAX_REPOSITORIES, Repository::parse).unwrap_or_default();
    let (repositories, source_repositories) =
        (repositories("repositories"), repositories("sourceRepositories"));
    let tag_prefixes = TagPrefixes::read(fields);
    let channel_rules = fields.objects("channelRules", 50, ChannelRule::parse).unwrap_or_default();
    Some(Spec { name, repositories, source_repositories, tag_prefixes, channel_rules })
}

/// Reads a component from a request.
///
/// # Errors
/// Unprocessable with every mistake.
pub fn parse(body: &Value) -> Result<Spec, Error> {
    ObjectReader::whole(body, read)
}

impl Component {
    /// A new component without triggers.
    ///
    /// # Errors
    /// Unprocessable if it is larger than [`MAX_BYTES`].
    pub fn new(id: ComponentId, tenant_id: TenantId, spec: Spec, now: DateTime<Utc>) -> Result<Self, Error> {
        let component = Self {
            id,
            tenant_id,
            spec,
            triggers: Vec::new(),
            has_guards: true,
            created_at: now,
            updated_at: now,
            revision: 1,
        };
        component.fits()
    }

    /// The component with another spec and the same triggers.
    ///
    /// # Errors
    /// Unprocessable if it becomes larger than [`MAX_BYTES`].
    pub fn changed(&self, spec: Spec, now: DateTime<Utc>) -> Result<Self, Error> {
        Self { spec, ..self.next_revision(now) }.fits()
    }

    /// The component whose releases all have guards.
    #[must_use]
    pub fn guarded(&self) -> Self {
        Self { has_guards: true, revision: self.revision.saturating_add(1), ..self.clone() }
    }

    /// The component with another trigger. If it has a trigger of this id, it stays as it is, so that a
    /// repeated request adds nothing.
    ///
    /// # Errors
    /// Conflict if there are [`MAX_TRIGGERS`] already. Unprocessable if the component becomes larger than
    /// [`MAX_BYTES`].
    pub fn with_trigger(
        &self,
        id: TriggerId,
        spec: trigger::Spec,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        if self.trigger(id).is_ok() {
            return Ok(self.clone());
        }
        if self.triggers.len() >= MAX_TRIGGERS {
            let detail = format!("A component has at most {MAX_TRIGGERS} triggers");
            return Err(Error::new(Kind::Conflict, Code::TooManyTriggers, detail));
        }
        let mut component = self.next_revision(now);
        component.triggers.push(Trigger { id, spec, created_at: now, updated_at: now });
        component.fits()
    }

    /// The component with another spec for one of its triggers.
    ///
    /// # Errors
    /// Not found, if it has no such trigger. Unprocessable if the component becomes larger than
    /// [`MAX_BYTES`].
    pub fn with_trigger_changed(
        &self,
        id: TriggerId,
        spec: trigger::Spec,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let mut component = self.next_revision(now);
        let found = component.triggers.iter_mut().find(|trigger| trigger.id == id);
        let trigger = found.ok_or_else(Error::not_found)?;
        trigger.spec = spec;
        trigger.updated_at = now;
        component.fits()
    }

    /// The component without one of its triggers.
    ///
    /// # Errors
    /// Not found, if it has no such trigger.
    pub fn without_trigger(&self, id: TriggerId, now: DateTime<Utc>) -> Result<Self, Error> {
        self.trigger(id)?;
        let mut component = self.next_revision(now);
        component.triggers.retain(|trigger| trigger.id != id);
        Ok(component)
    }

    /// One of its triggers.
    ///
    /// # Errors
    /// Not found, if it has no such trigger.
    pub fn trigger(&self, id: TriggerId) -> Result<&Trigger, Error> {
        self.triggers.iter().find(|trigger| trigger.id == id).ok_or_else(Error::not_found)
    }

    /// Every name that events find it by, at most 48. See
    /// [`lookup_names`](crate::domain::inbound::component_match::lookup_names).
    #[must_use]
    pub fn index_names(&self) -> BTreeSet<String> {
        let images = self.spec.repositories.iter().map(|name| name.index_name(Space::Image));
        let sources = self.spec.source_repositories.iter().map(|name| name.index_name(Space::Source));
        images.chain(sources).collect()
    }

    /// The spec as JSON: what a PATCH is merged onto.
    #[must_use]
    pub fn spec_json(&self) -> Value {
        serde_json::to_value(&self.spec).unwrap_or(Value::Null)
    }

    /// The component with the next revision.
    fn next_revision(&self, now: DateTime<Utc>) -> Self {
        Self { updated_at: now, revision: self.revision.saturating_add(1), ..self.clone() }
    }

    fn fits(self) -> Result<Self, Error> {
        let bytes =
            serde_json::to_vec(&self).map_err(|error| Error::fault("a component").caused_by(error))?;
        if bytes.len() <= MAX_BYTES {
            return Ok(self);
        }
        let detail = format!("A component with its triggers has at most {MAX_BYTES} bytes");
        Err(Error::new(Kind::Unprocessable, Code::ComponentTooLarge, detail))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use serde_json::json;

    use super::*;

    fn component(body: &Value) -> Component {
        let (id, tenant) = (Uuid::from_u128(1).into(), Uuid::from_u128(2).into());
        Component::new(id, tenant, parse(body).unwrap(), DateTime::default()).unwrap()
    }

    fn trigger_spec(name: &str) -> trigger::Spec {
        trigger::parse(&json!({"name": name, "on": "artifact.pushed"})).unwrap()
    }

    fn trigger_id(number: usize) -> TriggerId {
        Uuid::from_u128(number as u128).into()
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let body = json!({"repositories": ["ok", "a:1", 5], "sourceRepositories": "github.com/a/b",
            "tagPrefixes": ["api/", " "], "channelRules": [{"pattern": "("}], "triggers": []});
        let error = parse(&body).unwrap_err();
        let mut fields: Vec<&str> = error.errors.iter().map(|error| error.field.as_str()).collect();
        fields.sort_unstable();
        let expected = [
            "channelRules[0].channel",
            "channelRules[0].pattern",
            "name",
            "repositories[1]",
            "repositories[2]",
            "sourceRepositories",
            "tagPrefixes[1]",
            "triggers",
        ];
        assert_eq!(fields, expected);
        let many = json!({"name": "a", "repositories": vec!["a"; 41]});
        assert_eq!(parse(&many).unwrap_err().errors[0].field, "repositories");
    }

    #[test]
    fn a_component_has_each_of_its_names_once() {
        let component = component(&json!({"name": "myapp",
            "repositories": ["myorg/myapp", "MyOrg/MyApp/", "ghcr.io/myorg/myapp"],
            "sourceRepositories": ["git@github.com:myorg/myapp.git", "https://github.com/myorg/myapp"]}));
        let names: Vec<String> = component.index_names().into_iter().collect();
        let expected = ["image:*/myorg/myapp", "image:ghcr.io/myorg/myapp", "source:github.com/myorg/myapp"];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_written_spec_parses_to_the_same_spec() {
        let before = component(&json!({"name": "myapp", "repositories": ["MyOrg/MyApp"],
            "sourceRepositories": ["https://github.com/myorg/myapp.git"],
            "tagPrefixes": ["api/"], "channelRules": [{"pattern": "^nightly", "channel": "nightly"}]}));
        assert_eq!(parse(&before.spec_json()).unwrap(), before.spec);
        assert_eq!(json!(before.view())["repositories"], json!(["MyOrg/MyApp"]));
        assert_eq!(json!(before.view())["tagPrefixes"], json!(["api/"]));
        assert_eq!(json!(before.view()).get("triggers"), None);
        let before = before.with_trigger(trigger_id(1), trigger_spec("one"), DateTime::default()).unwrap();
        let stored = serde_json::to_value(&before).unwrap();
        assert_eq!(serde_json::from_value::<Component>(stored).unwrap(), before);
    }

    #[test]
    fn a_stored_component_without_prefixes_has_none() {
        let stored = serde_json::to_value(component(&json!({"name": "myapp"}))).unwrap();
        assert_eq!(stored.get("tagPrefixes"), None);
        assert!(serde_json::from_value::<Component>(stored).unwrap().spec.tag_prefixes.is_empty());
    }

    #[test]
    fn a_trigger_is_added_once_changed_and_removed() {
        let (now, later) = (DateTime::default(), DateTime::from_timestamp_millis(5).unwrap());
        let one =
            component(&json!({"name": "a"})).with_trigger(trigger_id(1), trigger_spec("one"), now).unwrap();
        assert_eq!(one.with_trigger(trigger_id(1), trigger_spec("another"), later).unwrap(), one);
        let changed = one.with_trigger_changed(trigger_id(1), trigger_spec("changed"), later).unwrap();
        assert_eq!(changed.trigger(trigger_id(1)).unwrap().spec.name, "changed");
        assert_eq!((changed.revision, changed.updated_at, changed.created_at), (3, later, now));
        let without = changed.without_trigger(trigger_id(1), later).unwrap();
        assert!(without.triggers.is_empty());
        assert_eq!(without.without_trigger(trigger_id(1), later).unwrap_err().kind, Kind::NotFound);
        let unknown = one.with_trigger_changed(trigger_id(9), trigger_spec("x"), later);
        assert_eq!(unknown.unwrap_err().kind, Kind::NotFound);
    }

    #[test]
    fn the_number_of_triggers_and_the_size_are_limited() {
        let mut full = component(&json!({"name": "a"}));
        for number in 0..MAX_TRIGGERS {
            full = full.with_trigger(trigger_id(number), trigger_spec("one"), DateTime::default()).unwrap();
        }
        let one_more = full.with_trigger(trigger_id(99), trigger_spec("one"), DateTime::default());
        assert_eq!(one_more.unwrap_err().code, Code::TooManyTriggers);
        let value = "x".repeat(MAX_BYTES);
        let large = trigger::parse(&json!({"name": "a", "on": "release",
            "filters": [{"field": "$.tag", "operator": "equals", "value": value}]}));
        let large =
            component(&json!({"name": "a"})).with_trigger(trigger_id(1), large.unwrap(), DateTime::default());
        assert_eq!(large.unwrap_err().code, Code::ComponentTooLarge);
    }

    proptest! {
        #[test]
        fn each_change_is_the_next_revision(numbers in proptest::collection::vec(0..60_usize, 0..80)) {
            let mut component = component(&json!({"name": "a"}));
            for number in numbers {
                let before = component.clone();
                match component.with_trigger(trigger_id(number), trigger_spec("t"), DateTime::default()) {
                    Ok(after) if after == before => prop_assert!(before.trigger(trigger_id(number)).is_ok()),
                    Ok(after) => {
                        prop_assert_eq!(Some(after.revision), before.revision.checked_add(1));
                        component = after;
                    }
                    Err(error) => prop_assert_eq!(error.code, Code::TooManyTriggers),
                }
            }
            prop_assert!(component.triggers.len() <= MAX_TRIGGERS);
        }
    }
}
