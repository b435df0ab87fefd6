//! Adds up the capacity units that DynamoDB would charge. The figures are the embedded engine's, which every
//! request is made to return.

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

/// What is added to the beginning of a request, so that its answer has its capacity units.
const ASK: &[u8] = br#"{"ReturnConsumedCapacity":"TOTAL","#;

/// Capacity units, as DynamoDB charges them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ConsumedCapacity {
    /// Read units.
    pub read: f64,
    /// Write units.
    pub written: f64,
}

/// Adds up capacity units. Clones share their sums.
#[derive(Debug, Clone, Default)]
pub struct CapacityMeter(Arc<Mutex<ConsumedCapacity>>);

impl CapacityMeter {
    /// Adds the metering to the endpoint of DynamoDB.
    pub fn metering(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), measure))
    }

    /// The capacity consumed so far.
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
    let Ok(request_body) = body.collect().await else { return StatusCode::BAD_REQUEST.into_response() };
    let request_body = request_body.to_bytes();
    head.headers.remove(CONTENT_LENGTH);
    let asking = request_body.strip_prefix(b"{").map(|rest| Bytes::from([ASK, rest].concat()));
    let answer = next.run(Request::from_parts(head, Body::from(asking.unwrap_or(request_body)))).await;
    let (head, body) = answer.into_parts();
    let Ok(answer_body) = body.collect().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let answer_body = answer_body.to_bytes();
    if let Ok(answer) = serde_json::from_slice::<Value>(&answer_body) {
        meter.add(&operation, units(&answer));
    }
    Response::from_parts(head, Body::from(answer_body))
}

/// The capacity units in an answer: of one table, or the sum of several.
fn units(answer: &Value) -> f64 {
    let of = |table: &Value| table.get("CapacityUnits").and_then(Value::as_f64).unwrap_or_default();
    match answer.get("ConsumedCapacity") {
        Some(Value::Array(tables)) => tables.iter().map(of).sum(),
        Some(table) => of(table),
        None => 0.0,
    }
}
