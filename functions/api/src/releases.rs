//! Releases: created by triggers, listed and shown.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use stella::domain::releases::release::Release;
use stella::domain::releases::release_view::ReleaseView;
use stella::domain::shared::ids::ReleaseId;
use stella::error::Error;
use stella::store::{Listing, keys};
use stella::web::authenticator::Viewer;
use stella::web::request::{self, ListQuery};
use stella::web::{data, page};

use crate::Api;
use crate::openapi::operation::operation;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::about("Releases")
        .get(
            "/releases",
            list,
            operation("listReleases", "List releases", "Returns the releases of the tenant, newest first.")
                .lists::<ReleaseView>(),
        )
        .get(
            "/releases/{id}",
            show,
            operation("getRelease", "Show a release", "Returns one release.").returns::<ReleaseView>(200),
        )
}

async fn list(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    query: ListQuery,
) -> Result<Response, Error> {
    let listing = Listing::of(keys::tenant(caller.tenant), "RELEASE#");
    let found = api.store.core.list::<Release>(&listing, &query.page()?, api.clock.now(), |_| true).await?;
    page(&found, Release::view)
}

async fn show(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let id: ReleaseId = request::id(&id)?;
    let found: Option<Release> = api.store.core.get(&keys::release(caller.tenant, id)).await?;
    Ok(data(StatusCode::OK, &found.ok_or_else(Error::not_found)?.view()))
}
