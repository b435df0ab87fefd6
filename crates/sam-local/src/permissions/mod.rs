//! Enforces the policy that the template gives each function, so that a missing permission is found on this
//! machine and not on AWS. The README says what of a policy is evaluated.

mod access_request;
mod policy;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;

use self::access_request::{AccessRequest, PartitionKeys, access_requests};
pub use self::policy::Policy;
use self::policy::Use;
use crate::calls::target;
use crate::wiring::Wiring;

/// The policies of functions. An endpoint knows its caller by its access key, which is the function's logical
/// id; other access keys are not limited. Clones share the policies.
#[derive(Debug, Clone, Default)]
pub(crate) struct Permissions {
    limits: Arc<Mutex<Limits>>,
    /// The file that the first use of each permission is appended to.
    record: Option<Arc<Path>>,
}

/// What a template allows its functions.
#[derive(Debug, Default)]
struct Limits {
    /// By the function's logical id.
    policies: BTreeMap<String, Policy>,
    /// Of the template's tables and indexes.
    keys: PartitionKeys,
}

impl Permissions {
    /// Without policies yet. The first use of each permission is appended to this file, as `Function
    /// Statement action resource`.
    pub(crate) fn recorded(record: Option<&Path>) -> Self {
        Self { limits: Arc::default(), record: record.map(Arc::from) }
    }

    /// Limits a function to what the policy allows.
    pub(crate) fn limit(&self, function: &str, policy: Policy) {
        self.lock().policies.insert(function.to_owned(), policy);
    }

    /// Limits each function of the template that has a policy.
    pub(crate) fn limit_all(&self, wiring: &Wiring) {
        self.lock().keys = PartitionKeys::of(&wiring.tables);
        for function in &wiring.functions {
            if let Some(policy) = &function.policy {
                self.limit(&function.id, policy.clone());
            }
        }
    }

    /// Adds the enforcement to an endpoint.
    pub(crate) fn guarding(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), guard))
    }

    fn lock(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limits(&self, function: &str) -> bool {
        self.lock().policies.contains_key(function)
    }

    /// The first access that a call of a service's operation needs and that the function's policy does not
    /// allow.
    fn missing(&self, function: &str, service: &str, operation: &str, body: &[u8]) -> Option<AccessRequest> {
        let Limits { policies, keys } = &mut *self.lock();
        let policy = policies.get_mut(function)?;
        let mut requests = access_requests(keys, service, operation, body).into_iter();
        requests.find(|request| match policy.allows(request) {
            None => true,
            Some(Use::Repeated) => false,
            Some(Use::First(grant)) => {
                self.record(&format!("{function} {grant}\n"));
                false
            }
        })
    }

    fn record(&self, line: &str) {
        let Some(path) = &self.record else { return };
        let file = File::options().create(true).append(true).open(path);
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            tracing::warn!(error = %error, "what functions do is not noted");
        }
    }
}

/// The access key that a request is signed with.
pub(crate) fn caller(headers: &HeaderMap) -> Option<&str> {
    let signature = headers.get(AUTHORIZATION)?.to_str().ok()?;
    signature.split_once("Credential=")?.1.split('/').next()
}

async fn guard(State(permissions): State<Permissions>, request: Request, next: Next) -> Response {
    let function = caller(request.headers()).filter(|function| permissions.limits(function));
    let Some(function) = function.map(str::to_owned) else { return next.run(request).await };
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return StatusCode::BAD_REQUEST.into_response() };
    let body = body.to_bytes();
    let missing = target(&head.headers)
        .and_then(|(service, operation)| permissions.missing(&function, service, operation, &body));
    match missing {
        None => next.run(Request::from_parts(head, Body::from(body))).await,
        Some(missing) => {
            tracing::error!(
                function.name = function,
                action = missing.action,
                resource = missing.resource,
                leading_key = missing.leading_key,
                "the function's policy in the template does not allow this"
            );
            refusal()
        }
    }
}

fn refusal() -> Response {
    let body = r#"{"__type":"AccessDeniedException","message":"The function's policy does not allow this"}"#;
    (StatusCode::BAD_REQUEST, [("x-amzn-errortype", "AccessDeniedException")], body).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tower::ServiceExt as _;

    use super::*;

    async fn status(permissions: &Permissions, key: &str, target: &str, body: &str) -> StatusCode {
        let router = permissions.guarding(Router::new().fallback(|body: String| async { body }));
        let signature =
            format!("AWS4-HMAC-SHA256 Credential={key}/20260301/us-east-1/sqs/aws4_request, Signature=0");
        let request = Request::post("/").header("x-amz-target", target).header("authorization", signature);
        router.oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_function_is_limited_to_its_policy_and_other_callers_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let record = folder.path().join("record");
        let permissions = Permissions::recorded(Some(&record));
        let policies = json!([{"Statement": [{"Sid": "Q", "Effect": "Allow", "Action": "sqs:SendMessage",
            "Resource": "arn:aws:sqs:us-east-1:000000000000:work"}]}]);
        permissions.limit("Api", Policy::read(&policies));
        let (work, other) = (r#"{"QueueUrl":"http://x/0/work"}"#, r#"{"QueueUrl":"http://x/0/other"}"#);
        assert_eq!(status(&permissions, "Api", "AmazonSQS.SendMessageBatch", work).await, StatusCode::OK);
        assert_eq!(status(&permissions, "Api", "AmazonSQS.SendMessage", work).await, StatusCode::OK);
        let recorded = std::fs::read_to_string(&record).unwrap();
        assert_eq!(recorded, "Api Q sqs:SendMessage arn:aws:sqs:us-east-1:000000000000:work\n");
        for (target, body) in [
            ("AmazonSQS.SendMessage", other),
            ("AmazonSQS.PurgeQueue", work),
            ("secretsmanager.GetSecretValue", r#"{"SecretId":"x"}"#),
        ] {
            let refused = status(&permissions, "Api", target, body).await;
            assert_eq!(refused, StatusCode::BAD_REQUEST, "{target}");
            assert_eq!(status(&permissions, "somebody", target, body).await, StatusCode::OK, "{target}");
        }
    }
}
