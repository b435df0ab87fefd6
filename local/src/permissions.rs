//! What each function may call: the actions of its policy in the template, so that one that is missing there
//! is missed on this machine and not first on AWS. Resources and conditions are not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};

use crate::calls::target;

/// The actions that functions may call, by the access key that a function signs with: its logical id. Whoever
/// signs with another key may call everything. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Permissions(Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>);

impl Permissions {
    /// From now on this function may call these actions and no others.
    pub(crate) fn limit(&self, function: &str, actions: BTreeSet<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(function.to_owned(), actions);
    }

    /// A router that does what the one given does, for those who may call it.
    pub(crate) fn guarding(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), guard))
    }

    /// The function and the action that its policy lacks, if a request is one of such.
    fn missing(&self, headers: &HeaderMap) -> Option<(String, String)> {
        let (service, operation) = target(headers)?;
        let function = caller(headers)?;
        let limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let action = format!("{service}:{}", action(operation));
        let is_missing = limits.get(function).is_some_and(|allowed| !allowed.contains(&action));
        is_missing.then(|| (function.to_owned(), action))
    }
}

/// The access key that a request is signed with.
fn caller(headers: &HeaderMap) -> Option<&str> {
    let signature = headers.get(AUTHORIZATION)?.to_str().ok()?;
    signature.split_once("Credential=")?.1.split('/').next()
}

/// The action that an operation takes, where it is not called the same. What a transaction writes is asked of
/// its items on AWS; here, of the first kind of them.
fn action(operation: &str) -> &str {
    match operation {
        "SendMessageBatch" => "SendMessage",
        "DeleteMessageBatch" => "DeleteMessage",
        "TransactWriteItems" => "PutItem",
        "TransactGetItems" => "GetItem",
        other => other,
    }
}

async fn guard(State(permissions): State<Permissions>, request: Request, next: Next) -> Response {
    let Some((function, action)) = permissions.missing(request.headers()) else {
        return next.run(request).await;
    };
    tracing::error!(
        function.name = function,
        action,
        "the function's policy in the template does not allow this"
    );
    let body = r#"{"__type":"AccessDeniedException","message":"The function's policy does not allow this"}"#;
    (StatusCode::BAD_REQUEST, [("x-amzn-errortype", "AccessDeniedException")], body).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::ServiceExt as _;

    use super::*;

    async fn status(permissions: &Permissions, key: &str, target: &str) -> StatusCode {
        let router = permissions.guarding(Router::new().fallback(|| async { "" }));
        let signature =
            format!("AWS4-HMAC-SHA256 Credential={key}/20260301/us-east-1/sqs/aws4_request, Signature=0");
        let request = Request::post("/").header("x-amz-target", target).header("authorization", signature);
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_function_calls_what_its_policy_says_and_others_call_everything() {
        let permissions = Permissions::default();
        permissions
            .limit("Api", BTreeSet::from(["sqs:SendMessage".to_owned(), "dynamodb:PutItem".to_owned()]));
        for target in ["AmazonSQS.SendMessageBatch", "DynamoDB_20120810.TransactWriteItems"] {
            assert_eq!(status(&permissions, "Api", target).await, StatusCode::OK, "{target}");
        }
        for target in ["AmazonSQS.PurgeQueue", "DynamoDB_20120810.Query", "secretsmanager.GetSecretValue"] {
            assert_eq!(status(&permissions, "Api", target).await, StatusCode::BAD_REQUEST, "{target}");
            assert_eq!(status(&permissions, "somebody", target).await, StatusCode::OK, "{target}");
        }
    }
}
