//! The resources that are listed, created, shown, changed and deleted in one way: their routes, descriptions and
//! handlers. What a resource does itself is in its [`Resource`].

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use stella::domain::shared::ids::TenantId;
use stella::domain::shared::merge_patch::Change;
use stella::domain::shared::object_reader::ObjectReader;
use stella::domain::shared::origin::Origin;
use stella::error::Error;
use stella::store::{Listing, Page, keys};
use stella::web::authenticator::{Admin, Viewer};
use stella::web::idempotency::Made;
use stella::web::request::{self, ListQuery, New};
use stella::web::{data, page};
use uuid::Uuid;

use crate::Api;
use crate::openapi::operation::{Json, operation};
use crate::routes::Routes;

/// The paths of a resource, and its descriptions in the OpenAPI document.
pub(crate) struct Description {
    pub(crate) tag: &'static str,
    /// The path at which it is listed and created.
    pub(crate) collection: &'static str,
    /// The path at which one is shown, changed and deleted.
    pub(crate) item: &'static str,
    /// Its name in the ids of its operations, in `PascalCase`; its plural has an s.
    pub(crate) id: &'static str,
    /// Its name in sentences, after the article "a".
    pub(crate) noun: &'static str,
    /// Summary and description of its list.
    pub(crate) list: [&'static str; 2],
    pub(crate) create: &'static str,
    pub(crate) create_conflicts: Option<&'static str>,
    pub(crate) replace: &'static str,
    pub(crate) delete: &'static str,
    pub(crate) delete_conflicts: Option<&'static str>,
    /// Examples of the body that creates one, that replaces one, and that changes one.
    pub(crate) examples: [Json; 3],
}

/// A resource of a tenant, or of a part of one. Viewers may read it, admins may change it.
pub(crate) trait Resource: Sized + 'static {
    /// What the API shows of it.
    type View: JsonSchema + Serialize + Send;

    const DESCRIPTION: Description;

    /// Reads the members of a body. The schema of the body is derived from this.
    fn read(members: &mut ObjectReader<'_>) -> Option<()>;

    /// A page of the list.
    fn list(call: &Call, query: &ListQuery) -> impl Future<Output = Result<Page<Self::View>, Error>> + Send;

    /// Creates one with this id.
    fn create(
        call: &Call,
        id: Uuid,
        body: &Value,
    ) -> impl Future<Output = Result<Made<Self::View>, Error>> + Send;

    fn show(call: &Call) -> impl Future<Output = Result<Self::View, Error>> + Send;

    fn change(call: &Call, change: &Change) -> impl Future<Output = Result<Self::View, Error>> + Send;

    fn delete(call: &Call) -> impl Future<Output = Result<(), Error>> + Send;
}

/// A request, as far as it is the same for every resource.
pub(crate) struct Call {
    pub(crate) api: Arc<Api>,
    pub(crate) tenant: TenantId,
    pub(crate) origin: Origin,
    pub(crate) now: DateTime<Utc>,
    /// The ids in the path, in their order.
    ids: Vec<Uuid>,
}

impl Call {
    fn of(api: Arc<Api>, tenant: TenantId, origin: Origin, ids: &[String]) -> Result<Self, Error> {
        let ids = ids.iter().map(|id| request::id(id)).collect::<Result<_, _>>()?;
        Ok(Self { now: api.clock.now(), api, tenant, origin, ids })
    }

    /// The only id in the path, or the first of two.
    pub(crate) fn id<T: From<Uuid>>(&self) -> Result<T, Error> {
        self.ids.first().copied().map(T::from).ok_or_else(Error::not_found)
    }

    /// The id of a part, the second in the path.
    pub(crate) fn part<T: From<Uuid>>(&self) -> Result<T, Error> {
        self.ids.get(1).copied().map(T::from).ok_or_else(Error::not_found)
    }

    /// A page of the tenant's rows whose sort keys begin with `prefix`.
    pub(crate) async fn rows<T: DeserializeOwned>(
        &self,
        prefix: &str,
        query: &ListQuery,
    ) -> Result<Page<T>, Error> {
        let listing = Listing::of(keys::tenant(self.tenant), prefix);
        self.api.store.core.list(&listing, &query.page()?, self.now, |_| true).await
    }

    /// A path with the ids in their places.
    fn fill(&self, path: &str) -> String {
        let mut ids = self.ids.iter();
        let fill = |part: &str| {
            let id = if part.starts_with('{') { ids.next() } else { None };
            id.map_or_else(|| part.to_owned(), Uuid::to_string)
        };
        path.split('/').map(fill).collect::<Vec<_>>().join("/")
    }
}

/// The routes of a resource.
pub(crate) fn routes<R: Resource>() -> Routes {
    let Description { tag, collection, item, id, noun, .. } = R::DESCRIPTION;
    let Description { list: [list_summary, list_description], create: create_description, .. } =
        R::DESCRIPTION;
    let Description { replace, delete: delete_description, create_conflicts, delete_conflicts, .. } =
        R::DESCRIPTION;
    let [to_create, to_replace, to_change] = R::DESCRIPTION.examples;
    let listed = operation(format!("list{id}s"), list_summary, list_description).lists::<R::View>();
    let created = operation(format!("create{id}"), format!("Create a {noun}"), create_description)
        .takes(R::read)
        .with_example(to_create)
        .returns::<R::View>(201);
    let shown = operation(format!("get{id}"), format!("Show a {noun}"), format!("Returns one {noun}."))
        .returns::<R::View>(200);
    let replaced = operation(format!("replace{id}"), format!("Replace a {noun}"), replace)
        .takes(R::read)
        .with_example(to_replace)
        .returns::<R::View>(200);
    let changed = operation(
        format!("change{id}"),
        format!("Change a {noun}"),
        "Changes the members that are given (JSON Merge Patch, RFC 7396); `null` removes a member.",
    )
    .takes(R::read)
    .with_example(to_change)
    .returns::<R::View>(200);
    let deleted =
        operation(format!("delete{id}"), format!("Delete a {noun}"), delete_description).returns_nothing(204);
    Routes::about(tag)
        .get(collection, list::<R>, listed)
        .post(collection, create::<R>, created.may_conflict(create_conflicts))
        .get(item, show::<R>, shown)
        .put(item, change::<R>, replaced)
        .patch(item, change::<R>, changed)
        .delete(item, delete::<R>, deleted.may_conflict(delete_conflicts))
}

type Ids = Path<Vec<String>>;

async fn list<R: Resource>(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Extension(origin): Extension<Origin>,
    Path(ids): Ids,
    query: ListQuery,
) -> Result<Response, Error> {
    let call = Call::of(api, caller.tenant, origin, &ids)?;
    page(&R::list(&call, &query).await?, |view| view)
}

async fn create<R: Resource>(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Extension(origin): Extension<Origin>,
    Path(ids): Ids,
    new: New,
) -> Result<Response, Error> {
    let call = Call::of(api, caller.tenant, origin, &ids)?;
    let route = format!("POST {}", call.fill(R::DESCRIPTION.collection));
    call.api.creation(call.tenant, &route, &new).run(|id| R::create(&call, id, &new.wanted)).await
}

async fn show<R: Resource>(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Extension(origin): Extension<Origin>,
    Path(ids): Ids,
) -> Result<Response, Error> {
    let call = Call::of(api, caller.tenant, origin, &ids)?;
    Ok(data(StatusCode::OK, &R::show(&call).await?))
}

async fn change<R: Resource>(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Extension(origin): Extension<Origin>,
    Path(ids): Ids,
    change: Change,
) -> Result<Response, Error> {
    let call = Call::of(api, caller.tenant, origin, &ids)?;
    Ok(data(StatusCode::OK, &R::change(&call, &change).await?))
}

async fn delete<R: Resource>(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Extension(origin): Extension<Origin>,
    Path(ids): Ids,
) -> Result<Response, Error> {
    let call = Call::of(api, caller.tenant, origin, &ids)?;
    R::delete(&call).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
