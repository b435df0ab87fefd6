//! The portal's own routes: one-time links, sessions, and the overview.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use stella::app::access::sessions;
use stella::app::releases::overview;
use stella::domain::access::session::{LINK_SECONDS, Principal, Session, csrf_token};
use stella::domain::access::tenant::{Role, Tenant};
use stella::domain::outbound::overview::Overview;
use stella::domain::shared::ids::{ApiKeyId, TenantId};
use stella::domain::shared::object_reader::ObjectReader;
use stella::domain::shared::origin::Origin;
use stella::domain::shared::time::Timestamp;
use stella::error::Error;
use stella::store::keys;
use stella::web::authenticator::{COOKIE, SignedIn, Viewer};
use stella::web::data;
use stella::web::request::Body;

use crate::Api;
use crate::openapi::operation::operation;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::about("Portal")
        .get(
            "/overview",
            overview,
            operation(
                "getOverview",
                "Show the last 24 hours",
                "Returns what happened in the last 24 hours, by the hour, and what needs attention.",
            )
            .returns::<Overview>(200),
        )
        .post(
            "/portal-links",
            make_link,
            operation(
                "createPortalLink",
                "Create a portal link",
                "Creates a link to the portal that can be used once. Its session has the caller's role.",
            )
            .takes(read_link)
            .with_example(|| json!({"ttlSeconds": 600}))
            .returns::<PortalLink>(201),
        )
        .get(
            "/portal-session",
            show,
            operation(
                "getPortalSession",
                "Show the session",
                "Returns who is signed in with the session's cookie.",
            )
            .returns::<PortalSession>(200),
        )
        .post(
            "/portal-session",
            open,
            operation(
                "openPortalSession",
                "Sign in",
                "Opens a session of the portal, by a link or by an API key. The answer sets its cookie.",
            )
            .takes(read_proof)
            .with_example(|| json!({"link": format!("stl_{}", "0".repeat(64))}))
            .authenticates_by_body()
            .returns::<PortalSession>(201),
        )
        .delete(
            "/portal-session",
            close,
            operation("closePortalSession", "Sign out", "Ends the session and deletes its cookie.")
                .returns_nothing(204),
        )
}

/// A link to the portal.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PortalLink {
    /// The link. It can be used once, and opens a session of 12 hours that ends earlier if the caller's key
    /// is revoked.
    url: String,
    /// What the session may do: as much as the caller.
    role: Role,
    /// Until when the link can be used.
    expires_at: Timestamp,
}

/// A session of the portal.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PortalSession {
    /// What the session may do.
    role: SessionRole,
    /// The tenant whose resources the session sees. `null` for the operator.
    tenant: Option<SessionTenant>,
    /// The API key with which the session ends, if it depends on one.
    key_id: Option<ApiKeyId>,
    /// What requests other than reads must send as `X-CSRF-Token`.
    csrf_token: String,
    /// When the session ends.
    expires_at: Timestamp,
}

/// What a session may do.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum SessionRole {
    /// Read; secrets are blanked.
    Viewer,
    /// Also publish events.
    Publisher,
    /// Everything in the tenant.
    Admin,
    /// What only the operator may do.
    Operator,
}

impl From<Role> for SessionRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Viewer,
            Role::Publisher => Self::Publisher,
            Role::Admin => Self::Admin,
        }
    }
}

/// The tenant of a session.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct SessionTenant {
    /// The tenant's id.
    id: TenantId,
    /// The tenant's name, for people.
    name: String,
}

#[expect(clippy::unnecessary_wraps, reason = "readers of bodies return an `Option`")]
fn read_link(fields: &mut ObjectReader<'_>) -> Option<u64> {
    let (least, most, usual) = LINK_SECONDS;
    fields.describe("ttlSeconds", "How long the link can be used, in seconds.");
    Some(fields.integer_or("ttlSeconds", least, most, usual))
}

/// What somebody signs in with.
enum Proof {
    Link(String),
    Key(String),
}

fn read_proof(fields: &mut ObjectReader<'_>) -> Option<Proof> {
    fields.describe(
        "link",
        "What follows `#link=` in a link to the portal. Either `link` or `key` is required.",
    );
    fields.describe("key", "An API key of a tenant, or the operator's key.");
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
    let (link, text) = sessions::make_link(&api.store, caller.principal(), seconds, api.clock.now()).await?;
    let url = format!("{}/portal#link={text}", api.base_url(&origin));
    let made = PortalLink { url, role: caller.role, expires_at: Timestamp(link.end()) };
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
            let principal = api.authenticator.principal(&key, now).await?;
            sessions::open(&api.store, principal, now).await?
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

/// The cookie of a session. Scripts cannot read it (`HttpOnly`), and browsers send it with requests of this
/// site only (`SameSite=Strict`).
fn set_cookie(text: &str, seconds: i64, base: &str) -> String {
    let secure = if base.starts_with("https:") { "; Secure" } else { "" };
    format!("{COOKIE}={text}; Path=/api/v1; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// A session as its pages see it.
async fn view(api: &Api, session: &Session, text: &str) -> Result<PortalSession, Error> {
    let (role, tenant, key_id) = match &session.principal {
        Principal::Operator { .. } => (SessionRole::Operator, None, None),
        Principal::Caller { tenant_id, role, key_id } => {
            let tenant: Option<Tenant> = api.store.core.get(&keys::tenant_entry(*tenant_id)).await?;
            ((*role).into(), tenant, *key_id)
        }
    };
    Ok(PortalSession {
        role,
        tenant: tenant.map(|tenant| SessionTenant { id: tenant.id, name: tenant.name }),
        key_id,
        csrf_token: csrf_token(text),
        expires_at: Timestamp(session.end()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_for_the_api_only_and_secure_wherever_there_is_https() {
        assert_eq!(
            set_cookie("sts_0", 60, "https://hooks.example.com"),
            "stella_session=sts_0; Path=/api/v1; Max-Age=60; HttpOnly; SameSite=Strict; Secure"
        );
        assert!(!set_cookie("sts_0", 60, "http://127.0.0.1:8787").contains("Secure"));
    }
}
