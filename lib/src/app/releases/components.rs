//! Creates, changes, deletes and reads components and their triggers.
//!
//! Safe to run twice: the caller gives the ids, and every write is conditional on the revision that it
//! replaces. A component is stored once in its tenant's list and once under each repository, always in one
//! transaction.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::inbound::component_match::{lookup_names, no_match};
use crate::domain::inbound::normalised::NormalisedEvent;
use crate::domain::releases::component::{self, Component};
use crate::domain::releases::trigger::{self, Trigger};
use crate::domain::releases::version::TagState;
use crate::domain::shared::ids::{ComponentId, TenantId, TriggerId};
use crate::domain::shared::merge_patch::Change;
use crate::error::{Code, Error, Kind};
use crate::store::{Commit, Store, item, keys};

/// The components that an event is about.
pub struct Matching {
    /// The components, each once.
    pub components: Vec<Component>,
    /// If no component matches, the reason: the nearest component, and how it differs.
    pub no_match: Option<String>,
}

/// Creates, changes, deletes and reads components.
#[derive(Clone)]
pub struct Components {
    store: Store,
}

impl Components {
    /// The components in `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Creates a component.
    ///
    /// # Errors
    /// `Unprocessable` with every mistake of the request.
    pub async fn create(
        &self,
        tenant: TenantId,
        id: Uuid,
        body: &Value,
        now: DateTime<Utc>,
    ) -> Result<Component, Error> {
        let made = Component::new(ComponentId::from(id), tenant, component::parse(body)?, now)?;
        let core = &self.store.core;
        let mut transaction = self.store.transaction();
        transaction.create(core, &keys::component(tenant, made.id), &made)?;
        for path in paths(&made.index_names()) {
            transaction.create(core, &keys::repository_component(tenant, path, made.id), &made)?;
        }
        match transaction.commit().await? {
            Commit::Done => Ok(made),
            Commit::Refused(_) => self.find(tenant, made.id).await,
        }
    }

    /// The tenant's component with this id.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    pub async fn find(&self, tenant: TenantId, id: ComponentId) -> Result<Component, Error> {
        self.store.core.get(&keys::component(tenant, id)).await?.ok_or_else(Error::not_found)
    }

    /// The components that an event is about, or why no component matches. This takes one query for each name of the
    /// event's repository without its host: see [`lookup_names`] for how many there are.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn of(&self, tenant: TenantId, event: &NormalisedEvent) -> Result<Matching, Error> {
        let names = lookup_names(event);
        let rows = paths(&names).into_iter().map(|path| async move {
            let partition = keys::repository(tenant, path);
            self.store.core.all::<Component>(&partition, "COMPONENT#").await
        });
        let rows: Vec<Component> = try_join_all(rows).await?.into_iter().flatten().collect();
        let mut components: Vec<Component> = Vec::new();
        for component in &rows {
            let is_meant = !component.index_names().is_disjoint(&names);
            if is_meant && !components.iter().any(|known| known.id == component.id) {
                components.push(component.clone());
            }
        }
        let no_match = components.is_empty().then(|| {
            let known = rows.iter().map(|component| (component.spec.name.as_str(), component.index_names()));
            no_match(event, known)
        });
        Ok(Matching { components, no_match })
    }

    /// The tags of those `versions` that were retagged, with their histories, by their places.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn tags(
        &self,
        component: &Component,
        versions: &[TagState],
    ) -> Result<HashMap<String, TagState>, Error> {
        let moved = versions.iter().filter(|version| version.has_history());
        let wanted: Vec<_> =
            moved.map(|version| keys::tag(component.tenant_id, component.id, &version.place())).collect();
        let mut tags = HashMap::new();
        for item in self.store.core.get_many(&wanted).await? {
            let tag: TagState = item::read(item)?;
            tags.insert(tag.place(), tag);
        }
        Ok(tags)
    }

    /// Replaces or patches a component.
    ///
    /// # Errors
    /// `Unprocessable` with every mistake; `Conflict` if the component was changed concurrently.
    pub async fn change(
        &self,
        tenant: TenantId,
        id: ComponentId,
        change: &Change,
        now: DateTime<Utc>,
    ) -> Result<Component, Error> {
        let before = self.find(tenant, id).await?;
        let after = before.changed(component::parse(&change.over(before.spec_json()))?, now)?;
        self.replace(&before, after).await
    }

    /// Deletes a component with its triggers. Its versions and releases stay in the table, and are not listed
    /// any more.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    pub async fn delete(&self, tenant: TenantId, id: ComponentId) -> Result<(), Error> {
        let before = self.find(tenant, id).await?;
        let core = &self.store.core;
        let mut transaction = self.store.transaction();
        transaction.delete(core, &keys::component(tenant, id))?;
        for path in paths(&before.index_names()) {
            transaction.delete(core, &keys::repository_component(tenant, path, id))?;
        }
        match transaction.commit().await? {
            Commit::Done => Ok(()),
            Commit::Refused(_) => Err(Error::fault("an unconditional delete was refused")),
        }
    }

    /// Adds a trigger to a component.
    ///
    /// # Errors
    /// `Unprocessable` with every mistake; `NotFound` if there is no such component; `Conflict` if it has as
    /// many triggers as are allowed.
    pub async fn add_trigger(
        &self,
        tenant: TenantId,
        component: ComponentId,
        id: Uuid,
        body: &Value,
        now: DateTime<Utc>,
    ) -> Result<Trigger, Error> {
        let before = self.find(tenant, component).await?;
        let (id, spec) = (TriggerId::from(id), trigger::parse(body)?);
        let after = before.with_trigger(id, spec, now)?;
        if after.revision == before.revision {
            return before.trigger(id).cloned();
        }
        self.replace(&before, after).await?.trigger(id).cloned()
    }

    /// Replaces or patches a trigger.
    ///
    /// # Errors
    /// As [`Self::change`].
    pub async fn change_trigger(
        &self,
        tenant: TenantId,
        (component, id): (ComponentId, TriggerId),
        change: &Change,
        now: DateTime<Utc>,
    ) -> Result<Trigger, Error> {
        let before = self.find(tenant, component).await?;
        let wanted = change.over(before.trigger(id)?.spec_json());
        let after = before.with_trigger_changed(id, trigger::parse(&wanted)?, now)?;
        self.replace(&before, after).await?.trigger(id).cloned()
    }

    /// Removes a trigger.
    ///
    /// # Errors
    /// `NotFound` if it does not exist; `Conflict` if the component was changed concurrently.
    pub async fn remove_trigger(
        &self,
        tenant: TenantId,
        (component, id): (ComponentId, TriggerId),
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let before = self.find(tenant, component).await?;
        let after = before.without_trigger(id, now)?;
        self.replace(&before, after).await.map(|_| ())
    }

    /// Notes that each release of a component has its guard. If the component was changed meanwhile, it is noted later.
    pub(super) async fn mark_guarded(&self, component: &Component) -> Result<(), Error> {
        match self.replace(component, component.guarded()).await {
            Err(error) if error.kind != Kind::Conflict => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn replace(&self, before: &Component, after: Component) -> Result<Component, Error> {
        let (core, tenant, id) = (&self.store.core, after.tenant_id, after.id);
        let (old, new) = (before.index_names(), after.index_names());
        let (old, new) = (paths(&old), paths(&new));
        let mut transaction = self.store.transaction();
        transaction.replace(core, &keys::component(tenant, id), &after, before.revision)?;
        for path in old.difference(&new) {
            transaction.delete(core, &keys::repository_component(tenant, path, id))?;
        }
        for path in new {
            transaction.overwrite(core, &keys::repository_component(tenant, path, id), &after)?;
        }
        match transaction.commit().await? {
            Commit::Done => Ok(after),
            Commit::Refused(_) => {
                Err(Error::new(Kind::Conflict, Code::ChangedMeanwhile, "The component was changed meanwhile"))
            }
        }
    }
}

/// The names without space and host, under which copies of a component are stored. So one query finds both a
/// component that names a registry and one that does not.
fn paths(names: &BTreeSet<String>) -> BTreeSet<&str> {
    names.iter().map(|name| name.split_once('/').map_or(name.as_str(), |(_, path)| path)).collect()
}
