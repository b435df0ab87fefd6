//! Triggers: which events of a component create a release.

use serde_json::{Value, json};
use stella::domain::releases::trigger::{self, Trigger};
use stella::domain::releases::trigger_view::TriggerView;
use stella::domain::shared::merge_patch::Change;
use stella::domain::shared::object_reader::ObjectReader;
use stella::error::Error;
use stella::store::{Page, listing};
use stella::web::idempotency::Made;
use stella::web::request::ListQuery;
use uuid::Uuid;

use crate::resource::{self, Call, Description, Resource};
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    resource::routes::<Trigger>()
}

impl Resource for Trigger {
    type View = TriggerView;

    const DESCRIPTION: Description = Description {
        tag: "Components",
        collection: "/components/{id}/triggers",
        item: "/components/{id}/triggers/{trigger}",
        id: "Trigger",
        noun: "trigger",
        list: ["List the triggers of a component", "Returns the triggers of the component, newest first."],
        create: "Adds a trigger to the component. Events that match it create releases.",
        create_conflicts: Some(
            "`too_many_triggers`: a component has at most 30. `changed_meanwhile`: repeat the request.",
        ),
        replace: "Replaces the trigger's members. Members that are left out get their defaults.",
        delete: "Deletes the trigger. Its releases stay.",
        delete_conflicts: Some(
            "`changed_meanwhile`: another request changed it at the same time. Repeat the request.",
        ),
        examples: [example, example, || json!({"enabled": false})],
    };

    fn read(members: &mut ObjectReader<'_>) -> Option<()> {
        trigger::read(members).map(drop)
    }

    async fn list(call: &Call, query: &ListQuery) -> Result<Page<TriggerView>, Error> {
        let component = call.api.components.find(call.tenant, call.id()?).await?;
        let rows = component.triggers.iter().rev().cloned().collect();
        let (name, made_at) = (format!("{} triggers", component.id), |trigger: &Trigger| trigger.created_at);
        Ok(listing::page_of(&name, rows, &query.page()?, call.now, made_at)?.map(Trigger::view))
    }

    async fn create(call: &Call, id: Uuid, body: &Value) -> Result<Made<TriggerView>, Error> {
        let made = call.api.components.add_trigger(call.tenant, call.id()?, id, body, call.now).await?;
        Ok(Made::created(made.view(), false))
    }

    async fn show(call: &Call) -> Result<TriggerView, Error> {
        let component = call.api.components.find(call.tenant, call.id()?).await?;
        Ok(component.trigger(call.part()?)?.view())
    }

    async fn change(call: &Call, change: &Change) -> Result<TriggerView, Error> {
        let place = (call.id()?, call.part()?);
        Ok(call.api.components.change_trigger(call.tenant, place, change, call.now).await?.view())
    }

    async fn delete(call: &Call) -> Result<(), Error> {
        let place = (call.id()?, call.part()?);
        call.api.components.remove_trigger(call.tenant, place, call.now).await
    }
}

fn example() -> Value {
    json!({"name": "stable versions", "on": "artifact.pushed", "versionRange": "*", "channels": ["stable"]})
}
