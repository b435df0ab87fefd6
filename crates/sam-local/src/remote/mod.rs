//! DynamoDB, SQS and Secrets Manager at an address, instead of the embedded ones: another emulator, which
//! shows what an independent implementation makes of the same requests.
//!
//! Functions reach it through the stack's own endpoints, so that their policies are enforced and rejections
//! are recorded. One request is sent at a time, because emulators may mix up concurrent ones: moto's
//! transactions, for instance, undo the concurrent writes of others when they fail.

mod forward;
mod provision;
mod queues;
pub mod refusals;
mod streams;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use http::Request;
use http::response::Parts;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, watch};

use self::refusals::{Refusal, Refusals, refusal};
use self::streams::Stream;
use crate::error::Error;

/// The services' names in `X-Amz-Target`.
const DYNAMODB: &str = "DynamoDB_20120810";
const STREAMS: &str = "DynamoDBStreams_20120810";
const SQS: &str = "AmazonSQS";
const SECRETS_MANAGER: &str = "secretsmanager";

/// The services at one address. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Remote(Arc<Inner>);

struct Inner {
    base: String,
    http: HttpClient<HttpConnector, Body>,
    /// Held while a request is sent and answered.
    alone: AsyncMutex<()>,
    refusals: Refusals,
    /// Changes after every request of a function.
    changes: watch::Sender<u64>,
    streams: Mutex<BTreeMap<String, Stream>>,
}

/// Why a request of the stack's own failed.
enum Failure {
    /// It was rejected.
    Refused(Refusal),
    /// There was no answer.
    Unreachable(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unreachable(error) => error,
            Failure::Refused(refusal) => Error::fault("A service elsewhere refused a request")
                .about(refusal.operation)
                .caused_by(format!("{}: {}", refusal.code, refusal.message)),
        }
    }
}

impl Remote {
    /// The services at an address, as in `http://127.0.0.1:5000`.
    pub(crate) fn at(base: &str) -> Self {
        let base = base.trim_end_matches('/');
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Arc::new(Inner {
            base: base.to_owned(),
            http: HttpClient::builder(TokioExecutor::new()).build(connector),
            alone: AsyncMutex::default(),
            refusals: Refusals::default(),
            changes: watch::Sender::new(0),
            streams: Mutex::default(),
        }))
    }

    /// The rejected requests of functions.
    pub(crate) fn refusals(&self) -> &Refusals {
        &self.0.refusals
    }

    /// Changes after every request of a function.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Sends a request of the stack's own.
    async fn call(&self, service: &str, operation: &str, body: &Value) -> Result<Value, Failure> {
        let target = format!("{service}.{operation}");
        let scope = match service {
            SQS => "sqs",
            SECRETS_MANAGER => "secretsmanager",
            _ => "dynamodb",
        };
        // The signature is not checked, but its scope names the service.
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential=local/20260301/us-east-1/{scope}/aws4_request, SignedHeaders=host, Signature=00"
        );
        let request = Request::post(format!("{}/", self.0.base))
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-date", "20260301T120000Z")
            .header("authorization", signature)
            .body(Body::from(body.to_string()))
            .map_err(|error| Failure::Unreachable(lost(error.to_string())))?;
        let (head, answer) = self.exchange(request).await.map_err(Failure::Unreachable)?;
        let answer = serde_json::from_slice(&answer).unwrap_or(Value::Null);
        match refusal(head.status, &answer) {
            None => Ok(answer),
            Some((code, message)) => Err(Failure::Refused(Refusal {
                caller: "local".to_owned(),
                operation: operation.to_owned(),
                code,
                message,
                request: body.to_string(),
            })),
        }
    }

    /// Sends a request when no other is being sent, and reads the whole answer.
    async fn exchange(&self, request: Request<Body>) -> Result<(Parts, Bytes), Error> {
        let _alone = self.0.alone.lock().await;
        let answer = self.0.http.request(request).await.map_err(|error| lost(error.to_string()))?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(|error| lost(error.to_string()))?.to_bytes();
        Ok((head, body))
    }

    fn streams(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Stream>> {
        self.0.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lost(cause: String) -> Error {
    Error::unavailable("A service elsewhere did not answer").caused_by(cause)
}

/// A text member of an answer.
fn text<'a>(answer: &'a Value, pointer: &str) -> Result<&'a str, Error> {
    answer
        .pointer(pointer)
        .and_then(Value::as_str)
        .ok_or_else(|| Error::fault("The answer of a service elsewhere lacks a member").about(pointer))
}
