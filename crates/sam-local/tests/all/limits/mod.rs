//! The limits of AWS's services, each with the rule in AWS's words.

mod dynamodb;
mod secrets_manager;
mod sqs;

use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

/// The answer of an operation. An error has a `__type`.
async fn call(router: Router, target: &str, body: &Value) -> Value {
    let request =
        Request::post("/").header("x-amz-target", target).body(Body::from(body.to_string())).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let is_ok = response.status().is_success();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(is_ok, answer.get("__type").is_none(), "{answer}");
    answer
}

/// The name of an error, without its namespace.
fn refusal(answer: &Value) -> Option<String> {
    answer.get("__type")?.as_str()?.rsplit('#').next().map(str::to_owned)
}

/// The beginning of a request, for the message of a failed test.
fn shown(body: &Value) -> String {
    body.to_string().chars().take(200).collect()
}
