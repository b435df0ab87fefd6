//! Components: what is released, from which repositories, by which triggers; and their version maps.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use stella::domain::releases::component::{self, Component};
use stella::domain::releases::component_view::ComponentView;
use stella::domain::releases::trigger::{self, Trigger};
use stella::domain::releases::trigger_view::TriggerView;
use stella::domain::releases::version::TagState;
use stella::domain::releases::version_view::VersionView;
use stella::domain::shared::ids::{ComponentId, TriggerId};
use stella::domain::shared::merge_patch::Change;
use stella::error::Error;
use stella::store::{Listing, keys, listing};
use stella::web::authenticator::{Admin, Viewer};
use stella::web::idempotency::Made;
use stella::web::request::{self, ListQuery, New};
use stella::web::{data, page};

use crate::Api;
use crate::openapi::operation::{operation, text};
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    let component = |id, summary, description| {
        operation(id, summary, description).takes(component::read).returns::<ComponentView>(200)
    };
    Routes::about("Components")
        .get(
            "/components",
            list,
            operation("listComponents", "List components", "Returns the components of the tenant, newest first.")
                .lists::<ComponentView>(),
        )
        .post(
            "/components",
            create,
            operation(
                "createComponent",
                "Create a component",
                "Creates a component. Pushes to its repositories become its versions.",
            )
            .takes(component::read)
            .with_example(a_component)
            .returns::<ComponentView>(201),
        )
        .get(
            "/components/{id}",
            show,
            operation("getComponent", "Show a component", "Returns one component.").returns::<ComponentView>(200),
        )
        .put(
            "/components/{id}",
            change,
            component(
                "replaceComponent",
                "Replace a component",
                "Replaces the component's members. Members that are left out get their defaults; triggers stay.",
            )
            .with_example(a_component),
        )
        .patch(
            "/components/{id}",
            change,
            component(
                "changeComponent",
                "Change a component",
                "Changes the members that are given (JSON Merge Patch, RFC 7396); `null` removes a member.",
            )
            .with_example(|| json!({"name": "my-app"})),
        )
        .delete(
            "/components/{id}",
            remove,
            operation(
                "deleteComponent",
                "Delete a component",
                "Deletes the component with its triggers. Its releases stay.",
            )
            .returns_nothing(204),
        )
        .get(
            "/components/{id}/versions",
            versions,
            operation(
                "listVersions",
                "List the versions of a component",
                "Returns the tags of the component with what they point at, last changed first.",
            )
            .lists::<VersionView>()
            .filtered_by("channel", text, "Only versions of this channel."),
        )
        .merge(trigger_routes())
}

fn trigger_routes() -> Routes {
    let trigger = |id, summary, description| {
        operation(id, summary, description).takes(trigger::read).returns::<TriggerView>(200)
    };
    Routes::about("Components")
        .get(
            "/components/{id}/triggers",
            triggers,
            operation(
                "listTriggers",
                "List the triggers of a component",
                "Returns the triggers of the component, newest first.",
            )
            .lists::<TriggerView>(),
        )
        .post(
            "/components/{id}/triggers",
            add_trigger,
            operation(
                "createTrigger",
                "Create a trigger",
                "Adds a trigger to the component. Events that match it create releases.",
            )
            .takes(trigger::read)
            .with_example(a_trigger)
            .returns::<TriggerView>(201)
            .conflicts(
                "`too_many_triggers`: a component has at most 30. `changed_meanwhile`: repeat the request.",
            ),
        )
        .get(
            "/components/{id}/triggers/{trigger}",
            show_trigger,
            operation("getTrigger", "Show a trigger", "Returns one trigger.").returns::<TriggerView>(200),
        )
        .put(
            "/components/{id}/triggers/{trigger}",
            change_trigger,
            trigger(
                "replaceTrigger",
                "Replace a trigger",
                "Replaces the trigger's members. Members that are left out get their defaults.",
            )
            .with_example(a_trigger),
        )
        .patch(
            "/components/{id}/triggers/{trigger}",
            change_trigger,
            trigger(
                "changeTrigger",
                "Change a trigger",
                "Changes the members that are given (JSON Merge Patch, RFC 7396); `null` removes a member.",
            )
            .with_example(|| json!({"enabled": false})),
        )
        .delete(
            "/components/{id}/triggers/{trigger}",
            remove_trigger,
            operation("deleteTrigger", "Delete a trigger", "Deletes the trigger. Its releases stay.")
                .returns_nothing(204)
                .conflicts(
                    "`changed_meanwhile`: another request changed it at the same time. Repeat the request.",
                ),
        )
}

fn a_component() -> Value {
    json!({"name": "myapp", "repositories": ["ghcr.io/myorg/myapp"],
        "sourceRepositories": ["github.com/myorg/myapp"]})
}

fn a_trigger() -> Value {
    json!({"name": "stable versions", "on": "artifact.pushed", "versionRange": "*", "channels": ["stable"]})
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
    let keep = |version: &TagState| {
        channel.is_none_or(|channel| version.is_current() && channel == version.content.channel)
    };
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
