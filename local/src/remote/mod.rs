//! Services elsewhere that play DynamoDB, SQS and Secrets Manager in place of ours: what an independent
//! implementation makes of the same requests.
//!
//! Functions reach them through the stack's own endpoints, so that their policies hold here too, and everything
//! that is refused is noted. One request goes out at a time: what is made for tests keeps no order among those
//! that come at once, and may take one's writes back when another's transaction fails.

mod creation;
mod forward;
mod queues;
pub mod refusals;
mod streams;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use http::Method;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use stella::error::Error;
use tokio::sync::{Mutex as Turn, watch};

use self::refusals::{Refusal, Refusals, refusal};
use self::streams::Stream;
use crate::client::Client;

/// What the protocol calls each service.
const DYNAMODB: &str = "DynamoDB_20120810";
const STREAMS: &str = "DynamoDBStreams_20120810";
const SQS: &str = "AmazonSQS";
const SECRETS_MANAGER: &str = "secretsmanager";

/// The services at one address. Clones share it.
#[derive(Clone)]
pub(crate) struct Remote(Arc<Inner>);

struct Inner {
    base: String,
    client: Client,
    http: HttpClient<HttpConnector, Body>,
    /// Held by the request that is out.
    turn: Turn<()>,
    refusals: Refusals,
    /// Changes after every request of a function.
    changes: watch::Sender<u64>,
    streams: Mutex<BTreeMap<String, Stream>>,
}

/// Why a request of the stack's own has no answer.
enum Failure {
    /// It was refused.
    Refused(Refusal),
    /// Nobody answered.
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
            client: Client::new(base, None),
            http: HttpClient::builder(TokioExecutor::new()).build(connector),
            turn: Turn::default(),
            refusals: Refusals::default(),
            changes: watch::Sender::new(0),
            streams: Mutex::default(),
        }))
    }

    /// What functions were refused.
    pub(crate) fn refusals(&self) -> &Refusals {
        &self.0.refusals
    }

    /// Changes after every request of a function.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// A request of the stack's own.
    async fn call(&self, service: &str, operation: &str, body: &Value) -> Result<Value, Failure> {
        let target = format!("{service}.{operation}");
        let scope = match service {
            SQS => "sqs",
            SECRETS_MANAGER => "secretsmanager",
            _ => "dynamodb",
        };
        // Nobody looks at the signature: its scope tells the service.
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential=local/20260301/us-east-1/{scope}/aws4_request, SignedHeaders=host, Signature=00"
        );
        let headers = [
            ("x-amz-target", target.as_str()),
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-date", "20260301T120000Z"),
            ("authorization", signature.as_str()),
        ];
        let turn = self.0.turn.lock().await;
        let answer = self.0.client.send(Method::POST, "/", &headers, body.to_string().into()).await;
        drop(turn);
        let answer = answer.map_err(Failure::Unreachable)?;
        match refusal(answer.status, &answer.body) {
            None => Ok(answer.body),
            Some((code, message)) => Err(Failure::Refused(Refusal {
                caller: "local".to_owned(),
                operation: operation.to_owned(),
                code,
                message,
                request: body.to_string(),
            })),
        }
    }

    fn streams(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Stream>> {
        self.0.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A member of an answer as text.
fn text<'a>(answer: &'a Value, pointer: &str) -> Result<&'a str, Error> {
    answer
        .pointer(pointer)
        .and_then(Value::as_str)
        .ok_or_else(|| Error::fault("The answer of a service elsewhere lacks a member").about(pointer))
}
