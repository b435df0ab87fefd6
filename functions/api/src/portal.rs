//! What the portal needs beside the rest: one-time links, the sessions that pages call with, and its first page.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use stella::app::access::sessions;
use stella::app::releases::overview;
use stella::domain::access::session::{LINK_SECONDS, Principal, Session, csrf_token};
use stella::domain::access::tenant::Tenant;
use stella::domain::shared::object_reader::ObjectReader;
use stella::domain::shared::origin::Origin;
use stella::domain::shared::time::timestamp;
use stella::error::Error;
use stella::store::keys;
use stella::web::authenticator::{COOKIE, SignedIn, Viewer};
use stella::web::data;
use stella::web::request::Body;

use crate::Api;
use crate::openapi::operation::says;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::about("Portal")
        .get(
            "/overview",
            overview,
            says("getOverview", "The last 24 hours by the hour, and what needs attention")
                .gives(200, "Overview"),
        )
        .post(
            "/portal-links",
            make_link,
            says(
                "createPortalLink",
                "Makes a link to the portal that can be used once, with the caller's role",
            )
            .takes(read_link)
            .for_example(|| json!({"ttlSeconds": 600}))
            .gives(201, "PortalLink"),
        )
        .get(
            "/portal-session",
            show,
            says("getPortalSession", "Who is signed in by the cookie").gives(200, "PortalSession"),
        )
        .post(
            "/portal-session",
            open,
            says("openPortalSession", "Signs in, by a link or by a key: the answer sets the cookie")
                .takes(read_proof)
                .proves_the_caller()
                .gives(201, "PortalSession"),
        )
        .delete(
            "/portal-session",
            close,
            says("closePortalSession", "Signs out: the cookie is worth nothing any more").gives_nothing(204),
        )
}

fn read_link(fields: &mut ObjectReader<'_>) -> Option<u64> {
    let (least, most, usual) = LINK_SECONDS;
    fields.integer("ttlSeconds", least, most).or(Some(usual))
}

/// By what somebody signs in.
enum Proof {
    Link(String),
    Key(String),
}

fn read_proof(fields: &mut ObjectReader<'_>) -> Option<Proof> {
    match (fields.text("link", 200), fields.text("key", 200)) {
        (Some(link), None) => Some(Proof::Link(link)),
        (None, Some(key)) => Some(Proof::Key(key)),
        _ => {
            fields.wrong("link", "give either link or key");
            None
        }
    }
}

async fn overview(State(api): State<Arc<Api>>, Viewer(caller): Viewer) -> Result<Response, Error> {
    let overview = overview::view(&api.store, caller.tenant, api.clock.now()).await?;
    Ok(data(StatusCode::OK, &overview))
}

async fn make_link(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Extension(origin): Extension<Origin>,
    Body(wanted): Body,
) -> Result<Response, Error> {
    let seconds = ObjectReader::whole(&wanted, read_link)?;
    let (link, text) = sessions::make_link(&api.store, caller.holder(), seconds, api.clock.now()).await?;
    let url = format!("{}/portal#link={text}", api.base_url(&origin));
    let made = json!({"url": url, "role": caller.role, "expiresAt": timestamp(link.end())});
    Ok(data(StatusCode::CREATED, &made))
}

async fn open(
    State(api): State<Arc<Api>>,
    Extension(origin): Extension<Origin>,
    Body(wanted): Body,
) -> Result<Response, Error> {
    let now = api.clock.now();
    let (session, text) = match ObjectReader::whole(&wanted, read_proof)? {
        Proof::Link(link) => sessions::open_by_link(&api.store, &link, now).await?,
        Proof::Key(key) => {
            let holder = api.authenticator.holder(&key, now).await?;
            sessions::open(&api.store, holder, now).await?
        }
    };
    let seconds = session.expires_at.saturating_sub(now.timestamp());
    let view = view(&api, &session, &text).await?;
    let cookie = set_cookie(&text, seconds, &api.base_url(&origin));
    Ok(([(SET_COOKIE, cookie)], data(StatusCode::CREATED, &view)).into_response())
}

async fn show(State(api): State<Arc<Api>>, who: SignedIn) -> Result<Response, Error> {
    Ok(data(StatusCode::OK, &view(&api, &who.session, &who.text).await?))
}

async fn close(
    State(api): State<Arc<Api>>,
    Extension(origin): Extension<Origin>,
    who: SignedIn,
) -> Result<Response, Error> {
    sessions::close(&api.store, &who.text).await?;
    let cookie = set_cookie("", 0, &api.base_url(&origin));
    Ok(([(SET_COOKIE, cookie)], StatusCode::NO_CONTENT).into_response())
}

/// Scripts cannot read it, and no other site makes a browser send it.
fn set_cookie(text: &str, seconds: i64, base: &str) -> String {
    let secure = if base.starts_with("https:") { "; Secure" } else { "" };
    format!("{COOKIE}={text}; Path=/api/v1; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// A session as its pages see it.
async fn view(api: &Api, session: &Session, text: &str) -> Result<Value, Error> {
    let (role, tenant, key_id) = match &session.holder {
        Principal::Operator { .. } => (json!("operator"), None, None),
        Principal::Caller { tenant_id, role, key_id } => {
            let tenant: Option<Tenant> = api.store.core.get(&keys::tenant_entry(*tenant_id)).await?;
            (json!(role), tenant, *key_id)
        }
    };
    let tenant = tenant.map(|tenant| json!({"id": tenant.id, "name": tenant.name}));
    Ok(json!({
        "role": role,
        "tenant": tenant,
        "keyId": key_id,
        "csrfToken": csrf_token(text),
        "expiresAt": timestamp(session.end()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_for_the_api_alone_and_for_https_wherever_there_is_https() {
        assert_eq!(
            set_cookie("sts_0", 60, "https://hooks.example.com"),
            "stella_session=sts_0; Path=/api/v1; Max-Age=60; HttpOnly; SameSite=Strict; Secure"
        );
        assert!(!set_cookie("sts_0", 60, "http://127.0.0.1:8787").contains("Secure"));
    }
}
