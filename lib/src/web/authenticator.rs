//! Authentication of API callers, by API key, JWT or session cookie, and authorisation by role.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Method, header};
use chrono::{DateTime, Duration, Utc};
use subtle::ConstantTimeEq as _;
use tokio::sync::Mutex;

use super::caller::Caller;
use super::request_labels::RequestLabels;
use super::tokens::Tokens;
use crate::app::shared::ttl_cache::TtlCache;
use crate::domain::access::session::{Principal, Session, csrf_token, is_session_text};
use crate::domain::access::tenant::{ApiKey, Role, is_key_text};
use crate::domain::shared::rate::Buckets;
use crate::domain::shared::secret::secret_hash;
use crate::error::{Code, Error, Kind};
use crate::store::{Key, Store, keys};

/// The cookie with the text of a session.
pub const COOKIE: &str = "stella_session";

/// The header with a session's CSRF token.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// How long an API key is cached, in seconds: a revoked one works no longer than this.
const CACHED_SECONDS: i64 = 30;

/// The state of an application whose handlers authenticate their callers.
pub trait HasAuthenticator {
    /// The authenticator.
    fn authenticator(&self) -> &Authenticator;
    /// The current time.
    fn now(&self) -> DateTime<Utc>;
}

macro_rules! callers {
    ($($(#[$doc:meta])* $name:ident = $role:expr,)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name(pub Caller);

        impl<S: HasAuthenticator + Send + Sync> FromRequestParts<Arc<S>> for $name {
            type Rejection = Error;

            async fn from_request_parts(parts: &mut Parts, state: &Arc<S>) -> Result<Self, Error> {
                state.authenticator().caller(parts, $role, state.now()).await.map(Self)
            }
        }
    )*};
}

callers! {
    /// A caller that may read.
    Viewer = Role::Viewer,
    /// A caller that may publish events.
    Publisher = Role::Publisher,
    /// A caller that may do everything within its tenant.
    Admin = Role::Admin,
}

impl<S: HasAuthenticator + Send + Sync> FromRequestParts<Arc<S>> for Operator {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<S>) -> Result<Self, Error> {
        state.authenticator().operator(parts, state.now()).await
    }
}

impl<S: HasAuthenticator + Send + Sync> FromRequestParts<Arc<S>> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<S>) -> Result<Self, Error> {
        state.authenticator().signed_in(parts, state.now()).await
    }
}

/// The authenticated operator.
#[derive(Debug, Clone, Copy)]
pub struct Operator(());

/// A caller that is signed in to the portal.
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// Its text.
    pub text: String,
}

/// The credential of a request.
enum Credential<'a> {
    /// An API key or a JWT.
    Bearer(&'a str),
    /// The text of a session.
    Session(&'a str),
}

impl<'a> Credential<'a> {
    fn of(parts: &'a Parts) -> Result<Self, Error> {
        if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
            let (scheme, text) =
                value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(unauthenticated)?;
            let is_bearer = scheme.eq_ignore_ascii_case("bearer");
            return if is_bearer { Ok(Self::Bearer(text.trim())) } else { Err(unauthenticated()) };
        }
        let text = cookie(parts).ok_or_else(unauthenticated)?;
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        // A read with a token is for that session: by the refusal a page learns that its browser now has
        // another session's cookie.
        let is_allowed = match parts.headers.get(CSRF_HEADER) {
            Some(token) => token.as_bytes().ct_eq(csrf_token(text).as_bytes()).into(),
            None => is_read,
        };
        if is_allowed {
            return Ok(Self::Session(text));
        }
        Err(Error::new(
            Kind::Forbidden,
            Code::CsrfToken,
            "A session's requests need its token as X-CSRF-Token",
        ))
    }

    fn text(&self) -> &'a str {
        match self {
            Self::Bearer(text) | Self::Session(text) => text,
        }
    }
}

/// The text of the session in a request's cookies.
fn cookie(parts: &Parts) -> Option<&str> {
    let cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, text)| *name == COOKIE && is_session_text(text)).map(|(_, text)| text)
}

/// Authenticates API keys, sessions and, if given, JWTs.
pub struct Authenticator {
    store: Store,
    operator_key: String,
    tokens: Option<Tokens>,
    keys: TtlCache<Key, Option<ApiKey>>,
    /// The rate of each credential in this environment, by its hash.
    buckets: Mutex<Buckets<String>>,
}

impl Authenticator {
    /// Authenticates API keys, the operator key `stk_operator_` + `operator_secret`, sessions and, if given,
    /// JWTs. Limits each credential to `per_second` requests per second, in this environment.
    #[must_use]
    pub fn new(store: Store, operator_secret: &str, tokens: Option<Tokens>, per_second: u32) -> Self {
        let operator_key = format!("stk_operator_{operator_secret}");
        let buckets = Mutex::new(Buckets::new(per_second));
        Self { store, operator_key, tokens, keys: TtlCache::default(), buckets }
    }

    /// The caller of a request that needs at least the role `role`.
    ///
    /// # Errors
    /// `Unauthenticated` without a valid credential; `Limited` if it is used too often; `Forbidden` if its
    /// role is too low, or if a session's request lacks its CSRF token.
    pub async fn caller(&self, parts: &Parts, role: Role, now: DateTime<Utc>) -> Result<Caller, Error> {
        RequestLabels::add_route(parts);
        let credential = Credential::of(parts)?;
        let hash = secret_hash(credential.text());
        let caller = match credential {
            Credential::Bearer(text) => self.bearer(text, &hash, now).await?,
            Credential::Session(_) => {
                self.session(&hash, now).await?.and_then(|session| caller(&session.principal))
            }
        };
        let caller = caller.ok_or_else(unauthenticated)?;
        RequestLabels::of(parts).set_tenant(caller.tenant);
        self.buckets.lock().await.take(hash, "Too many requests with this key", now)?;
        if caller.role < role {
            return Err(Error::new(Kind::Forbidden, Code::Forbidden, "The caller's role may not do this"));
        }
        Ok(caller)
    }

    /// Authenticates the operator.
    ///
    /// # Errors
    /// `Unauthenticated` without a valid credential; `Forbidden` with a tenant's.
    pub async fn operator(&self, parts: &Parts, now: DateTime<Utc>) -> Result<Operator, Error> {
        RequestLabels::add_route(parts);
        let is_operator = match Credential::of(parts)? {
            Credential::Bearer(text) => self.is_operator_key(text),
            Credential::Session(text) => {
                let session = self.session(&secret_hash(text), now).await?;
                session.is_some_and(|session| matches!(session.principal, Principal::Operator { .. }))
            }
        };
        if is_operator {
            return Ok(Operator(()));
        }
        self.caller(parts, Role::Viewer, now).await?;
        Err(Error::new(Kind::Forbidden, Code::Forbidden, "Only the operator may do this"))
    }

    /// The session of a caller that is signed in to the portal.
    ///
    /// # Errors
    /// `Unauthenticated` without a session; `Forbidden` if its CSRF token is required and missing.
    pub async fn signed_in(&self, parts: &Parts, now: DateTime<Utc>) -> Result<SignedIn, Error> {
        RequestLabels::add_route(parts);
        let Credential::Session(text) = Credential::of(parts)? else { return Err(unauthenticated()) };
        let session = self.session(&secret_hash(text), now).await?.ok_or_else(unauthenticated)?;
        Ok(SignedIn { session, text: text.to_owned() })
    }

    /// The principal of an API key or of the operator key.
    ///
    /// # Errors
    /// `Unauthenticated` if it is not a valid key.
    pub async fn principal(&self, key: &str, now: DateTime<Utc>) -> Result<Principal, Error> {
        if self.is_operator_key(key) {
            return Ok(Principal::Operator { key_hash: secret_hash(key) });
        }
        let found =
            if is_key_text(key) { self.key(keys::api_key(&secret_hash(key)), now).await? } else { None };
        found.map(|key| caller_of(&key).principal()).ok_or_else(unauthenticated)
    }

    async fn bearer(&self, text: &str, hash: &str, now: DateTime<Utc>) -> Result<Option<Caller>, Error> {
        if is_key_text(text) {
            let key = self.key(keys::api_key(hash), now).await?;
            // The item was found by the hash. Comparing it again in constant time costs nothing.
            let key = key.filter(|key| bool::from(key.hash.as_bytes().ct_eq(hash.as_bytes())));
            return Ok(key.map(|key| caller_of(&key)));
        }
        match &self.tokens {
            Some(tokens) => tokens.caller(text, now).await,
            None => Ok(None),
        }
    }

    /// The session with the hash of its text, unless it has expired, or the key that created it was revoked.
    async fn session(&self, hash: &str, now: DateTime<Utc>) -> Result<Option<Session>, Error> {
        let session: Option<Session> = self.store.core.get(&keys::portal_session(hash)).await?;
        let Some(session) = session.filter(|session| !session.has_expired(now)) else { return Ok(None) };
        let is_valid = match &session.principal {
            Principal::Operator { key_hash } => *key_hash == secret_hash(&self.operator_key),
            Principal::Caller { key_id: None, .. } => true,
            Principal::Caller { tenant_id, key_id: Some(id), .. } => {
                self.key(keys::api_key_entry(*tenant_id, *id), now).await?.is_some()
            }
        };
        Ok(is_valid.then_some(session))
    }

    async fn key(&self, at: Key, now: DateTime<Utc>) -> Result<Option<ApiKey>, Error> {
        let read = async || self.store.core.get(&at).await;
        self.keys.get(at.clone(), now, |_| Duration::seconds(CACHED_SECONDS), read).await
    }

    fn is_operator_key(&self, text: &str) -> bool {
        text.as_bytes().ct_eq(self.operator_key.as_bytes()).into()
    }
}

fn caller_of(key: &ApiKey) -> Caller {
    Caller { tenant: key.tenant_id, role: key.role, key_id: Some(key.id) }
}

fn caller(principal: &Principal) -> Option<Caller> {
    match principal {
        Principal::Caller { tenant_id, role, key_id } => {
            Some(Caller { tenant: *tenant_id, role: *role, key_id: *key_id })
        }
        Principal::Operator { .. } => None,
    }
}

fn unauthenticated() -> Error {
    Error::new(
        Kind::Unauthenticated,
        Code::Unauthenticated,
        "Send a valid API key as Authorization: Bearer stk_…",
    )
}
