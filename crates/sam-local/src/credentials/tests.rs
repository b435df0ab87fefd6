use http::Method;
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;

/// A request as an SDK signs it.
fn signed(pair: &Pair, target: &str, body: &str) -> http::request::Builder {
    let unsigned = |signature: &str| {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/20260301/us-east-1/x/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-target, Signature={signature}",
            pair.access_key
        );
        Request::builder()
            .method(Method::POST)
            .uri("/")
            .header("host", "127.0.0.1:4000")
            .header("x-amz-date", "20260301T120000Z")
            .header("x-amz-target", target)
            .header("authorization", authorization)
    };
    let (head, _) = unsigned("00").body(Body::empty()).unwrap().into_parts();
    let signature = Signature::read(&head.headers).unwrap().expected(&pair.secret, &head, body.as_bytes());
    unsigned(&hex::encode(signature.unwrap().finalize().into_bytes()))
}

async fn ask(credentials: &Credentials, request: http::request::Builder, body: &str) -> (StatusCode, Value) {
    let router = credentials.guarding(Router::new().fallback(|body: String| async { body }));
    let response = router.oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

const TARGETS: [&str; 3] =
    ["DynamoDB_20120810.ListTables", "secretsmanager.GetSecretValue", "AmazonSQS.ListQueues"];

#[tokio::test]
async fn a_signed_request_passes_with_its_body() {
    let credentials = Credentials::random();
    for pair in [credentials.of_function("ApiFunction"), credentials.of_owner()] {
        for target in TARGETS {
            let answer = ask(&credentials, signed(&pair, target, r#"{"a":1}"#), r#"{"a":1}"#).await;
            assert_eq!(answer, (StatusCode::OK, serde_json::json!({"a": 1})), "{target}");
        }
    }
}

#[tokio::test]
async fn other_requests_are_rejected_as_each_service_does() {
    let credentials = Credentials::random();
    let own = credentials.of_owner();
    let of_another_start = Credentials::random().of_owner();
    let wrong = Pair { secret: "0".repeat(64), ..own.clone() };
    let unsigned =
        |target: &str| Request::post("/").header("host", "127.0.0.1:4000").header("x-amz-target", target);
    let of_a_function = Pair { access_key: own.access_key, ..credentials.of_function("ApiFunction") };
    for (target, status, beginning, names) in [
        (TARGETS[0], 400, "com.amazon.coral.service#", 0),
        (TARGETS[1], 400, "", 0),
        (TARGETS[2], 403, "com.amazonaws.sqs#", 1),
    ] {
        let names: [&str; 3] = if names == 0 {
            [
                "MissingAuthenticationTokenException",
                "UnrecognizedClientException",
                "InvalidSignatureException",
            ]
        } else {
            ["MissingAuthenticationToken", "InvalidClientTokenId", "SignatureDoesNotMatch"]
        };
        for (request, name) in [
            (unsigned(target), names[0]),
            (signed(&of_another_start, target, "{}"), names[1]),
            (signed(&wrong, target, "{}"), names[2]),
            (signed(&of_a_function, target, "{}"), names[2]),
        ] {
            let (got, body) = ask(&credentials, request, "{}").await;
            assert_eq!((got.as_u16(), &body["__type"]), (status, &Value::from(format!("{beginning}{name}"))));
        }
    }
}

#[tokio::test]
async fn a_request_that_was_changed_after_signing_is_rejected() {
    let credentials = Credentials::random();
    let pair = credentials.of_owner();
    let (status, _) = ask(&credentials, signed(&pair, TARGETS[0], "{}"), r#"{"Limit":1}"#).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let more = signed(&pair, TARGETS[0], "{}").header("x-amz-security-token", "t");
    assert_eq!(ask(&credentials, more, "{}").await.0, StatusCode::BAD_REQUEST);
    let elsewhere = signed(&pair, TARGETS[0], "{}").uri("/?x=1");
    assert_eq!(ask(&credentials, elsewhere, "{}").await.0, StatusCode::BAD_REQUEST);
    for authorization in
        ["", "Basic eA==", "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0"]
    {
        let request = Request::post("/")
            .header("host", "localhost:4000")
            .header("x-amz-target", TARGETS[0])
            .header("authorization", authorization);
        let (status, body) = ask(&credentials, request, "{}").await;
        let name = "com.amazon.coral.service#IncompleteSignatureException";
        assert_eq!(
            (status, body["__type"].as_str()),
            (StatusCode::BAD_REQUEST, Some(name)),
            "{authorization}"
        );
    }
}

#[tokio::test]
async fn hosts_other_than_loopback_are_forbidden() {
    let credentials = Credentials::random();
    for host in ["evil.example", "169.254.169.254", ""] {
        let request = Request::post("/").header("host", host).header("x-amz-target", TARGETS[1]);
        assert_eq!(ask(&credentials, request, "{}").await.0, StatusCode::FORBIDDEN, "{host}");
    }
}
