//! Counts the calls of each operation of each service: what AWS would charge for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use http::HeaderMap;

/// A service and its operation, as in `("sqs", "SendMessageBatch")`.
pub type Call = (&'static str, String);

/// Counts calls. Clones share their counts.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<Mutex<BTreeMap<Call, u64>>>);

impl Calls {
    /// Adds the counting of AWS operations to an endpoint.
    pub fn counting(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), count))
    }

    /// All counts so far.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<Call, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The number of calls of one operation so far.
    #[must_use]
    pub fn of(&self, service: &str, operation: &str) -> u64 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().filter(|((s, o), _)| *s == service && o == operation).map(|(_, count)| *count).sum()
    }

    /// The number of calls of one service so far.
    #[must_use]
    pub fn of_service(&self, service: &str) -> u64 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().filter(|((s, _), _)| *s == service).map(|(_, count)| *count).sum()
    }

    /// Counts requests that AWS would make over the network and the stack makes in process.
    pub(crate) fn add(&self, service: &'static str, operation: &str, times: usize) {
        if times == 0 {
            return;
        }
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((service, operation.to_owned())).or_default();
        *count = count.saturating_add(u64::try_from(times).unwrap_or(u64::MAX));
    }
}

async fn count(State(calls): State<Calls>, request: Request, next: Next) -> Response {
    if let Some((service, operation)) = target(request.headers()) {
        calls.add(service, operation, 1);
    }
    next.run(request).await
}

/// The service and operation in a request's `X-Amz-Target`.
pub(crate) fn target(headers: &HeaderMap) -> Option<(&'static str, &str)> {
    let (prefix, operation) = headers.get("x-amz-target")?.to_str().ok()?.split_once('.')?;
    let service = match prefix {
        "AmazonSQS" => "sqs",
        "secretsmanager" => "secretsmanager",
        "DynamoDB_20120810" => "dynamodb",
        "DynamoDBStreams_20120810" => "dynamodbstreams",
        _ => return None,
    };
    Some((service, operation))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn calls_are_counted_by_service_and_operation() {
        let calls = Calls::default();
        let router = calls.counting(Router::new().fallback(|| async { "" }));
        for target in
            ["AmazonSQS.SendMessage", "AmazonSQS.SendMessage", "DynamoDB_20120810.PutItem", "nothing"]
        {
            let request = Request::post("/").header("x-amz-target", target).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap();
        }
        assert_eq!(calls.of("sqs", "SendMessage"), 2);
        assert_eq!(calls.of_service("dynamodb"), 1);
        assert_eq!(calls.snapshot().len(), 2);
    }
}
