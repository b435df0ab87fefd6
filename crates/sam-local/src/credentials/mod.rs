//! Access keys for the endpoints. They are random and valid until the stack stops. Without them, every
//! process of this machine, and every web page that can reach loopback, could read and write the tables.

mod refusal;
mod signature;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use hmac::Mac as _;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::{HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use rand::RngCore as _;

use self::refusal::Refused;
use self::signature::Signature;
use crate::calls::target;
use crate::error::Error;
use crate::hosts::Hosts;

/// The largest request, in bytes: DynamoDB's limit. That of SQS is lower.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;

/// An access key with its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    /// The access key's id: a function's logical id, or `LOCAL` and random digits.
    pub access_key: String,
    /// The secret that requests are signed with.
    pub secret: String,
}

impl Pair {
    /// Corrects the signature of a request that has an `Authorization` of Signature Version 4, for instance
    /// after a proxy has changed its body.
    ///
    /// # Errors
    /// If the request has no such `Authorization`.
    pub fn sign_again(&self, head: &mut http::request::Parts, body: &[u8]) -> Result<(), Error> {
        let unsigned = || Error::fault("the request is not signed");
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        let read = Signature::read(&head.headers).map_err(|_| unsigned())?;
        let before = hex::encode(&read.bytes);
        let after = read.expected(&self.secret, head, body).map_err(|_| unsigned())?;
        let after = hex::encode(after.finalize().into_bytes());
        let text =
            head.headers.get(AUTHORIZATION).and_then(|text| text.to_str().ok()).ok_or_else(unsigned)?;
        let text = HeaderValue::from_str(&text.replace(&before, &after)).map_err(|_| unsigned())?;
        head.headers.insert(AUTHORIZATION, text);
        Ok(())
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pair({})", self.access_key)
    }
}

/// The access keys that the endpoints accept. Clones share them.
#[derive(Clone)]
pub struct Credentials(Arc<Issued>);

struct Issued {
    root: [u8; 32],
    access_keys: Mutex<BTreeSet<String>>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    /// Credentials with a new random root, from which each secret is derived.
    #[must_use]
    pub fn random() -> Self {
        let mut root = [0; 32];
        rand::rng().fill_bytes(&mut root);
        Self(Arc::new(Issued { root, access_keys: Mutex::default() }))
    }

    /// The access key of a function. Its id is the function's logical id, so that endpoints know their
    /// caller.
    #[must_use]
    pub fn of_function(&self, id: &str) -> Pair {
        self.issue(id.to_owned())
    }

    /// An access key that no policy limits.
    #[must_use]
    pub fn of_owner(&self) -> Pair {
        let mut random = [0; 8];
        rand::rng().fill_bytes(&mut random);
        self.issue(format!("LOCAL{}", hex::encode_upper(random)))
    }

    fn issue(&self, access_key: String) -> Pair {
        self.access_keys().insert(access_key.clone());
        Pair { secret: self.secret(&access_key), access_key }
    }

    fn access_keys(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.access_keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every access key has its own secret, so that a function cannot sign as another one.
    fn secret(&self, access_key: &str) -> String {
        hex::encode(signature::hmac(&self.0.root, access_key.as_bytes()))
    }

    /// Adds authentication to an endpoint: it then answers to loopback names only, and to requests signed
    /// with an access key of these credentials.
    pub fn guarding(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), guard))
    }

    fn check(&self, head: &http::request::Parts, body: &[u8]) -> Result<(), Refused> {
        let signature = Signature::read(&head.headers)?;
        if !self.access_keys().contains(signature.access_key) {
            return Err(Refused::UnknownKey);
        }
        let expected = signature.expected(&self.secret(signature.access_key), head, body)?;
        // Compared in constant time.
        expected.verify_slice(&signature.bytes).map_err(|_| Refused::WrongSignature)
    }
}

async fn guard(State(credentials): State<Credentials>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    if !Hosts::loopback().allow(&head.headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let service = target(&head.headers).map(|(service, _)| service);
    let refuse = |refused: Refused| refused.response(service.unwrap_or("dynamodb"));
    if let Err(refused) = Signature::read(&head.headers) {
        return refuse(refused);
    }
    let Ok(body) = Limited::new(body, MAX_REQUEST_BYTES).collect().await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let body = body.to_bytes();
    match credentials.check(&head, &body) {
        Ok(()) => next.run(Request::from_parts(head, Body::from(body))).await,
        Err(refused) => refuse(refused),
    }
}

#[cfg(test)]
mod tests;
