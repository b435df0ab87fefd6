//! Guards: which releases of finished pipelines exist, by their identities.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::components::Components;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::releases::component::Component;
use crate::domain::releases::decision::Decision;
use crate::domain::releases::release::{Release, identity};
use crate::domain::shared::ids::ReleaseId;
use crate::error::Error;
use crate::store::{Store, item, keys};

/// Marks that the release with this identity was created.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Guard {
    /// The release.
    pub(super) release_id: ReleaseId,
}

/// The planned releases of a pipeline that exist already, by their identities. Releases of a version have no guard.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub(super) async fn existing(
    store: &Store,
    component: &Component,
    decision: &Decision,
) -> Result<BTreeMap<String, ReleaseId>, Error> {
    if decision.change.is_some() || decision.releases.is_empty() {
        return Ok(BTreeMap::new());
    }
    let place = |identity: &str| keys::release_guard(component.tenant_id, component.id, identity);
    let places: Vec<_> = decision.releases.iter().map(|planned| place(&planned.identity)).collect();
    let mut existing = BTreeMap::new();
    for found in store.core.get_many(&places).await? {
        let key = found.get("sk").and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default();
        let identity = decision.releases.iter().find(|planned| place(&planned.identity).sk == key);
        if let Some(planned) = identity {
            existing.insert(planned.identity.clone(), item::read::<Guard>(found)?.release_id);
        }
    }
    Ok(existing)
}

/// Makes the guards of a component's stored releases that versions before 0.2 created: they had other identities.
/// Without them a pipeline that runs again would release its commit a second time. Done once for each component.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub(super) async fn complete(
    store: &Store,
    components: &Components,
    component: &Component,
) -> Result<(), Error> {
    let partition = keys::tenant(component.tenant_id);
    let mut from = "RELEASE#".to_owned();
    loop {
        let rows = store.core.range(&partition, &from, "RELEASE#\u{10ffff}").await?;
        let Some(last) = rows.last().and_then(item::key_of) else { break };
        for release in rows.into_iter().filter_map(item::readable::<Release>) {
            if is_of_pipeline(&release, component) {
                make(store, component, &release).await?;
            }
        }
        from = format!("{}\u{0}", last.sk);
    }
    components.mark_guarded(component).await
}

async fn make(store: &Store, component: &Component, release: &Release) -> Result<(), Error> {
    let repository = &release.source.source.repository;
    let mut event = NormalisedEvent::new(EventKind::CiFinished, repository, release.created_at);
    event.commit.clone_from(&release.source.commit);
    let identity = identity(release.trigger.id, &event, 0, None);
    let place = keys::release_guard(component.tenant_id, component.id, &identity);
    let guard = Guard { release_id: release.id };
    store.core.create::<_, Guard>(&place, &guard).await.map(|_| ())
}

fn is_of_pipeline(release: &Release, component: &Component) -> bool {
    release.source.kind == EventKind::CiFinished
        && release.source.commit.is_some()
        && release.components.iter().any(|released| released.id == component.id)
}
