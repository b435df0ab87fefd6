//! The stack's endpoint in front of the services at an address: forwards requests of functions, and records
//! rejections.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, Uri};
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::refusals::{Refusal, refusal};
use super::{Remote, lost};
use crate::calls::target;
use crate::error::Error;
use crate::permissions::caller;

impl Remote {
    /// The endpoint of all services.
    pub(crate) fn router(&self) -> Router {
        Router::new().fallback(forward).with_state(self.clone())
    }

    async fn forward(&self, request: Request) -> Result<Response, Error> {
        let (mut head, body) = request.into_parts();
        let request_body = body.collect().await.map_err(|error| lost(error.to_string()))?.to_bytes();
        let caller = caller(&head.headers).unwrap_or_default().to_owned();
        let operation = target(&head.headers).map(|(_, operation)| operation.to_owned()).unwrap_or_default();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri =
            Uri::try_from(format!("{}{path}", self.0.base)).map_err(|error| lost(error.to_string()))?;
        let request = Request::from_parts(head, Body::from(request_body.clone()));
        let (head, answer_body) = self.exchange(request).await?;
        let answer = serde_json::from_slice::<Value>(&answer_body).unwrap_or_default();
        if let Some((code, message)) = refusal(head.status, &answer) {
            self.0.refusals.record(Refusal {
                caller,
                operation,
                code,
                message,
                request: lossy(&request_body),
            });
        }
        self.0.changes.send_modify(|count| *count = count.wrapping_add(1));
        Ok(Response::from_parts(head, Body::from(answer_body)))
    }
}

fn lossy(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn forward(State(remote): State<Remote>, request: Request) -> Response {
    // In a task of its own, so that a write is not aborted when its caller stops waiting.
    let forwarded = tokio::spawn(async move { remote.forward(request).await }).await;
    match forwarded {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(error = %error, error.cause = cause, "a request had no answer");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
