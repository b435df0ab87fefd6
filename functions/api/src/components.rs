//! Components: what is released, from which repositories, by which triggers; and the version map.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use stella::domain::releases::component::{self, Component};
use stella::domain::releases::trigger::{self, Trigger};
use stella::domain::releases::version::TagState;
use stella::domain::shared::ids::{ComponentId, TriggerId};
use stella::domain::shared::merge_patch::Change;
use stella::error::Error;
use stella::store::{Listing, keys, listing};
use stella::web::authenticator::{Admin, Viewer};
use stella::web::idempotency::Made;
use stella::web::request::{self, ListQuery, New};
use stella::web::{data, page};

use crate::Api;
use crate::openapi::operation::{Operation, says, text};
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    let changed = |id, summary| says(id, summary).takes(component::read).gives(200, "Component");
    let changed_trigger = |id, summary| says(id, summary).takes(trigger::read).gives(200, "Trigger");
    let by_channel = |operation: Operation| operation.filtered_by("channel", text, "Of this channel.");
    Routes::about("Components")
        .get("/components", list, says("listComponents", "Components, newest first").lists("Component"))
        .post(
            "/components",
            create,
            says("createComponent", "Makes a component")
                .takes(component::read)
                .for_example(|| {
                    json!({"name": "myapp", "repositories": ["ghcr.io/myorg/myapp"],
                    "sourceRepositories": ["github.com/myorg/myapp"]})
                })
                .gives(201, "Component"),
        )
        .get("/components/{id}", show, says("getComponent", "A component").gives(200, "Component"))
        .put("/components/{id}", change, changed("replaceComponent", "Says anew what a component is"))
        .patch("/components/{id}", change, changed("changeComponent", "Changes some of what a component is"))
        .delete(
            "/components/{id}",
            remove,
            says("deleteComponent", "Deletes a component with its triggers; its releases stay")
                .gives_nothing(204),
        )
        .get(
            "/components/{id}/versions",
            versions,
            by_channel(says("listVersions", "The version map, last changed first").lists("Version")),
        )
        .get(
            "/components/{id}/triggers",
            triggers,
            says("listTriggers", "The triggers of a component, newest first").lists("Trigger"),
        )
        .post(
            "/components/{id}/triggers",
            add_trigger,
            says("createTrigger", "Makes a trigger")
                .takes(trigger::read)
                .for_example(|| {
                    json!({"name": "stable versions", "on": "artifact.pushed", "versionRange": "*",
                    "channels": ["stable"]})
                })
                .gives(201, "Trigger")
                .conflicts(
                    "`too_many_triggers`: a component has at most 30. `changed_meanwhile`: try again.",
                ),
        )
        .get(
            "/components/{id}/triggers/{trigger}",
            show_trigger,
            says("getTrigger", "A trigger").gives(200, "Trigger"),
        )
        .put(
            "/components/{id}/triggers/{trigger}",
            change_trigger,
            changed_trigger("replaceTrigger", "Says anew what a trigger is"),
        )
        .patch(
            "/components/{id}/triggers/{trigger}",
            change_trigger,
            changed_trigger("changeTrigger", "Changes some of what a trigger is"),
        )
        .delete(
            "/components/{id}/triggers/{trigger}",
            remove_trigger,
            says("deleteTrigger", "Deletes a trigger; its releases stay")
                .gives_nothing(204)
                .conflicts("`changed_meanwhile`: by another request. Try again."),
        )
}

async fn create(State(api): State<Arc<Api>>, Admin(caller): Admin, new: New) -> Result<Response, Error> {
    let act = async |id| {
        let made = api.components.create(caller.tenant, id, &new.wanted, api.clock.now()).await?;
        Ok(Made { status: StatusCode::CREATED, data: made.view(), shows_secret: false })
    };
    api.creation(caller.tenant, "POST /components", &new).run(act).await
}

async fn list(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    query: ListQuery,
) -> Result<Response, Error> {
    let listing = Listing::of(keys::tenant(caller.tenant), "COMPONENT#");
    let found = api.store.core.list::<Component>(&listing, &query.page()?, api.clock.now(), |_| true).await?;
    page(&found, Component::view)
}

async fn show(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let found = api.components.find(caller.tenant, request::id(&id)?).await?;
    Ok(data(StatusCode::OK, &found.view()))
}

async fn change(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
    change: Change,
) -> Result<Response, Error> {
    let (id, now) = (request::id(&id)?, api.clock.now());
    let after = api.components.change(caller.tenant, id, &change, now).await?;
    Ok(data(StatusCode::OK, &after.view()))
}

async fn remove(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    api.components.delete(caller.tenant, request::id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn versions(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Path(id): Path<String>,
    query: ListQuery,
) -> Result<Response, Error> {
    let component = api.components.find(caller.tenant, request::id(&id)?).await?;
    let listing = Listing {
        bound: |moment| format!("{}\u{10ffff}", keys::time(moment)),
        ..Listing::of(keys::versions(caller.tenant, component.id), "VERSION#")
    };
    let channel = query.channel.as_deref();
    let keep = |version: &TagState| channel.is_none_or(|channel| channel == version.content.channel);
    let found = api.store.core.list(&listing, &query.page()?, api.clock.now(), keep).await?;
    let tags = api.components.tags(&component, &found.items).await?;
    page(&found, |version| tags.get(&version.place()).unwrap_or(version).view())
}

async fn triggers(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Path(id): Path<String>,
    query: ListQuery,
) -> Result<Response, Error> {
    let component = api.components.find(caller.tenant, request::id(&id)?).await?;
    let rows = component.triggers.iter().rev().cloned().collect();
    let (name, made_at) = (format!("{} triggers", component.id), |trigger: &Trigger| trigger.created_at);
    let found = listing::page_of(&name, rows, &query.page()?, api.clock.now(), made_at)?;
    page(&found, Trigger::view)
}

async fn add_trigger(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
    new: New,
) -> Result<Response, Error> {
    let component = request::id(&id)?;
    let act = async |id| {
        let now = api.clock.now();
        let made = api.components.add_trigger(caller.tenant, component, id, &new.wanted, now).await?;
        Ok(Made { status: StatusCode::CREATED, data: made.view(), shows_secret: false })
    };
    let route = format!("POST /components/{component}/triggers");
    api.creation(caller.tenant, &route, &new).run(act).await
}

async fn show_trigger(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Path(place): Path<(String, String)>,
) -> Result<Response, Error> {
    let (component, id) = ids(&place)?;
    let found = api.components.find(caller.tenant, component).await?;
    Ok(data(StatusCode::OK, &found.trigger(id)?.view()))
}

async fn change_trigger(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(place): Path<(String, String)>,
    change: Change,
) -> Result<Response, Error> {
    let (place, now) = (ids(&place)?, api.clock.now());
    let after = api.components.change_trigger(caller.tenant, place, &change, now).await?;
    Ok(data(StatusCode::OK, &after.view()))
}

async fn remove_trigger(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(place): Path<(String, String)>,
) -> Result<Response, Error> {
    api.components.remove_trigger(caller.tenant, ids(&place)?, api.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn ids((component, trigger): &(String, String)) -> Result<(ComponentId, TriggerId), Error> {
    Ok((request::id(component)?, request::id(trigger)?))
}
