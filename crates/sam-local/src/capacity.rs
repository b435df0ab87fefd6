//! The read and write units that DynamoDB's operations would be charged: the engine's own figures, which its
//! callers do not ask for.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt as _;
use serde_json::Value;

/// What a request says so that its answer tells its units.
const ASK: &[u8] = br#"{"ReturnConsumedCapacity":"TOTAL","#;

/// CapacityMeter charged so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ConsumedCapacity {
    /// Of reading.
    pub read: f64,
    /// Of writing.
    pub written: f64,
}

/// Adds up units. Clones add up together.
#[derive(Debug, Clone, Default)]
pub struct CapacityMeter(Arc<Mutex<ConsumedCapacity>>);

impl CapacityMeter {
    /// A router that does what the one given does, with its operations' units added up.
    pub fn metering(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), measure))
    }

    /// What was charged so far.
    #[must_use]
    pub fn consumed(&self) -> ConsumedCapacity {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, operation: &str, units: f64) {
        let mut consumed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(operation, "GetItem" | "BatchGetItem" | "Query" | "Scan" | "TransactGetItems") {
            consumed.read += units;
        } else {
            consumed.written += units;
        }
    }
}

async fn measure(State(meter): State<CapacityMeter>, request: Request, next: Next) -> Response {
    let operation = match crate::calls::target(request.headers()) {
        Some(("dynamodb", operation)) => operation.to_owned(),
        _ => return next.run(request).await,
    };
    let (mut head, body) = request.into_parts();
    let Ok(said) = body.collect().await else { return StatusCode::BAD_REQUEST.into_response() };
    let said = said.to_bytes();
    head.headers.remove(CONTENT_LENGTH);
    let asking = said.strip_prefix(b"{").map(|rest| Bytes::from([ASK, rest].concat()));
    let answer = next.run(Request::from_parts(head, Body::from(asking.unwrap_or(said)))).await;
    let (head, body) = answer.into_parts();
    let Ok(told) = body.collect().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let told = told.to_bytes();
    if let Ok(answer) = serde_json::from_slice::<Value>(&told) {
        meter.add(&operation, units(&answer));
    }
    Response::from_parts(head, Body::from(told))
}

/// What an answer says that it consumed: of one table, or of each.
fn units(answer: &Value) -> f64 {
    let of = |table: &Value| table.get("CapacityUnits").and_then(Value::as_f64).unwrap_or_default();
    match answer.get("ConsumedCapacity") {
        Some(Value::Array(tables)) => tables.iter().map(of).sum(),
        Some(table) => of(table),
        None => 0.0,
    }
}
