//! Components: what is released, from which repositories; and their version maps.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};
use stella::domain::releases::component::{self, Component};
use stella::domain::releases::component_view::ComponentView;
use stella::domain::releases::version::TagState;
use stella::domain::releases::version_view::VersionView;
use stella::domain::shared::merge_patch::Change;
use stella::domain::shared::object_reader::ObjectReader;
use stella::error::Error;
use stella::store::{Listing, Page, keys};
use stella::web::authenticator::Viewer;
use stella::web::idempotency::Made;
use stella::web::page;
use stella::web::request::{self, ListQuery};
use uuid::Uuid;

use crate::Api;
use crate::openapi::operation::{operation, text};
use crate::resource::{self, Call, Description, Resource};
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    resource::routes::<Component>().get(
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
}

impl Resource for Component {
    type View = ComponentView;

    const DESCRIPTION: Description = Description {
        tag: "Components",
        collection: "/components",
        item: "/components/{id}",
        id: "Component",
        noun: "component",
        list: ["List components", "Returns the components of the tenant, newest first."],
        create: "Creates a component. Pushes to its repositories become its versions.",
        create_conflicts: None,
        replace: "Replaces the component's members. Members that are left out get their defaults; triggers stay.",
        delete: "Deletes the component with its triggers. Its releases stay.",
        delete_conflicts: None,
        examples: [example, example, || json!({"name": "my-app"})],
    };

    fn read(members: &mut ObjectReader<'_>) -> Option<()> {
        component::read(members).map(drop)
    }

    async fn list(call: &Call, query: &ListQuery) -> Result<Page<ComponentView>, Error> {
        Ok(call.rows("COMPONENT#", query).await?.map(Component::view))
    }

    async fn create(call: &Call, id: Uuid, body: &Value) -> Result<Made<ComponentView>, Error> {
        let made = call.api.components.create(call.tenant, id, body, call.now).await?;
        Ok(Made::created(made.view(), false))
    }

    async fn show(call: &Call) -> Result<ComponentView, Error> {
        Ok(call.api.components.find(call.tenant, call.id()?).await?.view())
    }

    async fn change(call: &Call, change: &Change) -> Result<ComponentView, Error> {
        Ok(call.api.components.change(call.tenant, call.id()?, change, call.now).await?.view())
    }

    async fn delete(call: &Call) -> Result<(), Error> {
        call.api.components.delete(call.tenant, call.id()?).await
    }
}

fn example() -> Value {
    json!({"name": "myapp", "repositories": ["ghcr.io/myorg/myapp"],
        "sourceRepositories": ["github.com/myorg/myapp"]})
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
