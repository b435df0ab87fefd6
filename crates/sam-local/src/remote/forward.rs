//! The endpoint that functions reach: what they ask goes on as it is, and what is refused is noted.

use crate::error::Error;
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
use crate::permissions::caller;

impl Remote {
    /// The endpoint, of all services.
    pub(crate) fn router(&self) -> Router {
        Router::new().fallback(forward).with_state(self.clone())
    }

    async fn pass_on(&self, request: Request) -> Result<Response, Error> {
        let (mut head, body) = request.into_parts();
        let said = body.collect().await.map_err(|error| lost(error.to_string()))?.to_bytes();
        let who = caller(&head.headers).unwrap_or_default().to_owned();
        let what = target(&head.headers).map(|(_, operation)| operation.to_owned()).unwrap_or_default();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri =
            Uri::try_from(format!("{}{path}", self.0.base)).map_err(|error| lost(error.to_string()))?;
        let request = Request::from_parts(head, Body::from(said.clone()));
        let (head, told) = self.exchange(request).await?;
        let answer = serde_json::from_slice::<Value>(&told).unwrap_or_default();
        if let Some((code, message)) = refusal(head.status, &answer) {
            self.0.refusals.note(Refusal {
                caller: who,
                operation: what,
                code,
                message,
                request: lossy(&said),
            });
        }
        self.0.changes.send_modify(|count| *count = count.wrapping_add(1));
        Ok(Response::from_parts(head, Body::from(told)))
    }
}

fn lossy(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn forward(State(remote): State<Remote>, request: Request) -> Response {
    // A task of its own: a caller that gives up waiting does not take a write back.
    let asked = tokio::spawn(async move { remote.pass_on(request).await }).await;
    match asked {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(error = %error, error.cause = cause, "a request had no answer");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
