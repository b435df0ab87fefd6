//! Who calls: the API key of a request, or an issuer's token, and what its role may do.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use chrono::{DateTime, Duration, Utc};
use subtle::ConstantTimeEq as _;
use tokio::sync::Mutex;

use super::tokens::Tokens;
use crate::domain::ids::TenantId;
use crate::domain::rate::Buckets;
use crate::domain::secret_hash;
use crate::domain::tenant::{ApiKey, Role, is_key_text};
use crate::error::{Error, Kind};
use crate::store::{Store, keys};

/// How long a key is taken as read, in seconds: a revoked one works no longer than this.
const CACHED_SECONDS: i64 = 30;

/// How many keys are remembered.
const MOST: usize = 10_000;

/// A tenant's caller, whose key or token was checked.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// For whom it calls.
    pub tenant: TenantId,
    /// What it may do.
    pub role: Role,
}

/// What an application's state must hold so that its handlers can say who may call them.
pub trait Door {
    /// Who knows the callers.
    fn doorkeeper(&self) -> &Doorkeeper;
    /// The present moment.
    fn now(&self) -> DateTime<Utc>;
}

macro_rules! callers {
    ($($(#[$doc:meta])* $name:ident = $role:expr,)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name(pub Caller);

        impl<S: Door + Send + Sync> FromRequestParts<Arc<S>> for $name {
            type Rejection = Error;

            async fn from_request_parts(parts: &mut Parts, state: &Arc<S>) -> Result<Self, Error> {
                state.doorkeeper().caller(&parts.headers, $role, state.now()).await.map(Self)
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

impl<S: Door + Send + Sync> FromRequestParts<Arc<S>> for Operator {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<S>) -> Result<Self, Error> {
        state.doorkeeper().operator(&parts.headers, state.now()).await
    }
}

/// The operator, whose key was checked.
#[derive(Debug, Clone, Copy)]
pub struct Operator(());

type Known = HashMap<String, (DateTime<Utc>, Option<ApiKey>)>;

/// Knows callers by their keys and tokens.
pub struct Doorkeeper {
    store: Store,
    operator_key: String,
    tokens: Option<Tokens>,
    known: Mutex<Known>,
    /// How often each key or token may be used in this environment, by its hash.
    buckets: Mutex<Buckets<String>>,
}

impl Doorkeeper {
    /// A doorkeeper whose operator key is `stk_operator_` and the secret, who takes tokens or none, and lets each
    /// caller ask so often a second.
    #[must_use]
    pub fn new(store: Store, operator_secret: &str, tokens: Option<Tokens>, per_second: u32) -> Self {
        let operator_key = format!("stk_operator_{operator_secret}");
        Self {
            store,
            operator_key,
            tokens,
            known: Mutex::default(),
            buckets: Mutex::new(Buckets::new(per_second)),
        }
    }

    /// The caller of a request that a role of at least `role` may make.
    ///
    /// # Errors
    /// Unauthenticated without a good key; limited when it is used too often; forbidden when its role may not do this.
    pub async fn caller(&self, headers: &HeaderMap, role: Role, now: DateTime<Utc>) -> Result<Caller, Error> {
        let text = bearer(headers)?;
        let hash = secret_hash(text);
        let caller = self.known(text, &hash, now).await?.ok_or_else(unauthenticated)?;
        self.buckets.lock().await.take(hash, "Too many requests with this key", now)?;
        if caller.role < role {
            return Err(Error::new(Kind::Forbidden, "forbidden", "The caller's role may not do this"));
        }
        Ok(caller)
    }

    async fn known(&self, text: &str, hash: &str, now: DateTime<Utc>) -> Result<Option<Caller>, Error> {
        if is_key_text(text) {
            let key = self.key(hash, now).await?;
            return Ok(key.map(|key| Caller { tenant: key.tenant_id, role: key.role }));
        }
        match &self.tokens {
            Some(tokens) => tokens.caller(text, now).await,
            None => Ok(None),
        }
    }

    /// The operator.
    ///
    /// # Errors
    /// Unauthenticated without a good key; forbidden with a tenant's.
    pub async fn operator(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Result<Operator, Error> {
        let text = bearer(headers)?;
        if bool::from(text.as_bytes().ct_eq(self.operator_key.as_bytes())) {
            return Ok(Operator(()));
        }
        self.caller(headers, Role::Viewer, now).await?;
        Err(Error::new(Kind::Forbidden, "forbidden", "Only the operator may do this"))
    }

    async fn key(&self, hash: &str, now: DateTime<Utc>) -> Result<Option<ApiKey>, Error> {
        if let Some((read, key)) = self.known.lock().await.get(hash)
            && now.signed_duration_since(*read) < Duration::seconds(CACHED_SECONDS)
        {
            return Ok(key.clone());
        }
        let key: Option<ApiKey> = self.store.core.get(&keys::api_key(hash)).await?;
        // The row was found by the hash; comparing it again in constant time costs nothing.
        let key = key.filter(|key| bool::from(key.hash.as_bytes().ct_eq(hash.as_bytes())));
        let mut known = self.known.lock().await;
        if known.len() > MOST {
            known.clear();
        }
        known.insert(hash.to_owned(), (now, key.clone()));
        Ok(key)
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Error> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, key) = value.and_then(|value| value.split_once(' ')).ok_or_else(unauthenticated)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(key.trim()) } else { Err(unauthenticated()) }
}

fn unauthenticated() -> Error {
    Error::new(
        Kind::Unauthenticated,
        "unauthenticated",
        "Send a valid API key as Authorization: Bearer stk_…",
    )
}
