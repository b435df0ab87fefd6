//! Who calls: by the API key of a request, an issuer's token, or the cookie of a session; and what its role may do.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Method, header};
use chrono::{DateTime, Duration, Utc};
use subtle::ConstantTimeEq as _;
use tokio::sync::Mutex;

use super::caller::Caller;
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

/// How long a key is taken as read, in seconds: a revoked one works no longer than this.
const CACHED_SECONDS: i64 = 30;

/// What an application's state must hold so that its handlers can say who may call them.
pub trait HasAuthenticator {
    /// Who knows the callers.
    fn authenticator(&self) -> &Authenticator;
    /// The present moment.
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
    /// Whoever may read.
    Viewer = Role::Viewer,
    /// Whoever may publish events.
    Publisher = Role::Publisher,
    /// Whoever may do everything in its tenant.
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

/// The operator, who proved to be it.
#[derive(Debug, Clone, Copy)]
pub struct Operator(());

/// Whoever is signed in to the portal.
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// Its text.
    pub text: String,
}

/// What a request has to prove who calls.
enum Proof<'a> {
    Bearer(&'a str),
    Session(&'a str),
}

impl<'a> Proof<'a> {
    fn of(parts: &'a Parts) -> Result<Self, Error> {
        if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
            let (scheme, text) =
                value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(unauthenticated)?;
            let is_bearer = scheme.eq_ignore_ascii_case("bearer");
            return if is_bearer { Ok(Self::Bearer(text.trim())) } else { Err(unauthenticated()) };
        }
        let text = cookie(parts).ok_or_else(unauthenticated)?;
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        // A read that has a token means that session: a page learns so that its browser has another one's cookie.
        let is_its_own = match parts.headers.get(CSRF_HEADER) {
            Some(token) => token.as_bytes().ct_eq(csrf_token(text).as_bytes()).into(),
            None => is_read,
        };
        if is_its_own {
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

/// Knows callers by their keys, tokens and sessions.
pub struct Authenticator {
    store: Store,
    operator_key: String,
    tokens: Option<Tokens>,
    known: TtlCache<Key, Option<ApiKey>>,
    /// How often each proof may be used in this environment, by its hash.
    buckets: Mutex<Buckets<String>>,
}

impl Authenticator {
    /// A authenticator whose operator key is `stk_operator_` and the secret, who takes tokens or none, and lets each
    /// caller ask so often a second.
    #[must_use]
    pub fn new(store: Store, operator_secret: &str, tokens: Option<Tokens>, per_second: u32) -> Self {
        let operator_key = format!("stk_operator_{operator_secret}");
        let buckets = Mutex::new(Buckets::new(per_second));
        Self { store, operator_key, tokens, known: TtlCache::default(), buckets }
    }

    /// The caller of a request that a role of at least `role` may make.
    ///
    /// # Errors
    /// Unauthenticated without a good proof; limited when it is used too often; forbidden when its role may not do
    /// this, or when a session's request lacks its CSRF token.
    pub async fn caller(&self, parts: &Parts, role: Role, now: DateTime<Utc>) -> Result<Caller, Error> {
        let proof = Proof::of(parts)?;
        let hash = secret_hash(proof.text());
        let caller = match proof {
            Proof::Bearer(text) => self.bearer(text, &hash, now).await?,
            Proof::Session(_) => self.session(&hash, now).await?.and_then(|session| caller(&session.holder)),
        };
        let caller = caller.ok_or_else(unauthenticated)?;
        self.buckets.lock().await.take(hash, "Too many requests with this key", now)?;
        if caller.role < role {
            return Err(Error::new(Kind::Forbidden, Code::Forbidden, "The caller's role may not do this"));
        }
        Ok(caller)
    }

    /// The operator.
    ///
    /// # Errors
    /// Unauthenticated without a good proof; forbidden with a tenant's.
    pub async fn operator(&self, parts: &Parts, now: DateTime<Utc>) -> Result<Operator, Error> {
        let is_operator = match Proof::of(parts)? {
            Proof::Bearer(text) => self.is_operator_key(text),
            Proof::Session(text) => {
                let session = self.session(&secret_hash(text), now).await?;
                session.is_some_and(|session| matches!(session.holder, Principal::Operator { .. }))
            }
        };
        if is_operator {
            return Ok(Operator(()));
        }
        self.caller(parts, Role::Viewer, now).await?;
        Err(Error::new(Kind::Forbidden, Code::Forbidden, "Only the operator may do this"))
    }

    /// Whoever is signed in.
    ///
    /// # Errors
    /// Unauthenticated without a session; forbidden when its CSRF token is needed and not there.
    pub async fn signed_in(&self, parts: &Parts, now: DateTime<Utc>) -> Result<SignedIn, Error> {
        let Proof::Session(text) = Proof::of(parts)? else { return Err(unauthenticated()) };
        let session = self.session(&secret_hash(text), now).await?.ok_or_else(unauthenticated)?;
        Ok(SignedIn { session, text: text.to_owned() })
    }

    /// For whom a key's session would be.
    ///
    /// # Errors
    /// Unauthenticated when it is no key.
    pub async fn holder(&self, key: &str, now: DateTime<Utc>) -> Result<Principal, Error> {
        if self.is_operator_key(key) {
            return Ok(Principal::Operator { key_hash: secret_hash(key) });
        }
        let found =
            if is_key_text(key) { self.key(keys::api_key(&secret_hash(key)), now).await? } else { None };
        found.map(|key| known_by(&key).holder()).ok_or_else(unauthenticated)
    }

    async fn bearer(&self, text: &str, hash: &str, now: DateTime<Utc>) -> Result<Option<Caller>, Error> {
        if is_key_text(text) {
            let key = self.key(keys::api_key(hash), now).await?;
            // The row was found by the hash; comparing it again in constant time costs nothing.
            let key = key.filter(|key| bool::from(key.hash.as_bytes().ct_eq(hash.as_bytes())));
            return Ok(key.map(|key| known_by(&key)));
        }
        match &self.tokens {
            Some(tokens) => tokens.caller(text, now).await,
            None => Ok(None),
        }
    }

    /// The session by the hash of its text, unless it has ended, or what it stands on is gone.
    async fn session(&self, hash: &str, now: DateTime<Utc>) -> Result<Option<Session>, Error> {
        let session: Option<Session> = self.store.core.get(&keys::portal_session(hash)).await?;
        let Some(session) = session.filter(|session| !session.has_expired(now)) else { return Ok(None) };
        let stands = match &session.holder {
            Principal::Operator { key_hash } => *key_hash == secret_hash(&self.operator_key),
            Principal::Caller { key_id: None, .. } => true,
            Principal::Caller { tenant_id, key_id: Some(id), .. } => {
                self.key(keys::api_key_entry(*tenant_id, *id), now).await?.is_some()
            }
        };
        Ok(stands.then_some(session))
    }

    async fn key(&self, at: Key, now: DateTime<Utc>) -> Result<Option<ApiKey>, Error> {
        let read = async || self.store.core.get(&at).await;
        self.known.get(at.clone(), now, |_| Duration::seconds(CACHED_SECONDS), read).await
    }

    fn is_operator_key(&self, text: &str) -> bool {
        text.as_bytes().ct_eq(self.operator_key.as_bytes()).into()
    }
}

fn known_by(key: &ApiKey) -> Caller {
    Caller { tenant: key.tenant_id, role: key.role, key_id: Some(key.id) }
}

fn caller(holder: &Principal) -> Option<Caller> {
    match holder {
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
