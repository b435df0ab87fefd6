//! A stack that uses services at an address. Here these are the embedded ones, behind one router.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use sam_local::calls::Calls;
use sam_local::credentials::Pair;
use sam_local::dynamodb::DynamoDb;
use sam_local::secrets_manager::SecretsManager;
use sam_local::sqs::{Sqs, path};
use sam_local::{Environment, Functions, Settings, Stack, Time};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use super::{closure, functions, noting, settings};

/// Serves all services at one address.
async fn services() -> String {
    let calls = Calls::default();
    let tables = DynamoDb::open(None).unwrap().router();
    let queues = Sqs::open(None, Time::system(), calls.clone()).unwrap().router();
    let secrets = SecretsManager::open(None, Time::system(), calls).unwrap().router();
    let router = Router::new().fallback(move |request: Request<Body>| {
        let target = request.headers()["x-amz-target"].to_str().unwrap();
        let router = match target.split('.').next().unwrap() {
            "AmazonSQS" => queues.clone(),
            "secretsmanager" => secrets.clone(),
            _ => tables.clone(),
        };
        router.oneshot(request)
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Calls the endpoints of a stack as one of its functions.
struct Caller(Environment);

impl Caller {
    /// The answer to a signed request.
    async fn call(&self, service: &str, target: &str, body: &Value) -> Value {
        let variable = |name: &str| self.0.variable(name).unwrap();
        let url = variable(&format!("AWS_ENDPOINT_URL_{service}"));
        let pair = Pair {
            access_key: variable("AWS_ACCESS_KEY_ID").to_owned(),
            secret: variable("AWS_SECRET_ACCESS_KEY").to_owned(),
        };
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/20260301/us-east-1/local/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-target, Signature=00",
            pair.access_key
        );
        let request = Request::post(format!("{url}/"))
            .header("host", url.strip_prefix("http://").unwrap())
            .header("x-amz-date", "20260301T120000Z")
            .header("x-amz-target", target)
            .header("authorization", authorization);
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let body = body.to_string();
        pair.sign_again(&mut head, body.as_bytes()).unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let answer = client.request(Request::from_parts(head, Body::from(body))).await.unwrap();
        let answer = answer.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&answer).unwrap()
    }
}

/// A stack on such services by the machine's time, and a caller that signs as its function `api`.
async fn start(functions: Functions) -> (Stack, Caller) {
    let seen = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&seen);
    let functions = functions.with("api", move |environment| {
        *noted.lock().unwrap() = Some(environment);
        async { Ok(closure(|_| async { Ok("{}".to_owned()) })) }
    });
    let settings =
        Settings { time: Time::system(), aws_endpoint: Some(services().await), ..settings(functions) };
    let template = settings.template.replace("VisibilityTimeout: 60", "VisibilityTimeout: 1");
    let stack = Stack::start(Settings { template, ..settings }).await.unwrap();
    let environment = seen.lock().unwrap().take().unwrap();
    (stack, Caller(environment))
}

#[tokio::test]
async fn records_of_a_remote_stream_reach_their_function() {
    let (function, mut seen) = noting(Value::clone, |_| async { Ok("{}".to_owned()) });
    let (stack, api) = start(functions("fanout", &function)).await;
    for (pk, entity) in [("a", "mark"), ("b", "event"), ("c", "event")] {
        let put = json!({"TableName": "core", "Item": {"pk": {"S": pk}, "entity": {"S": entity}}});
        assert_eq!(api.call("DYNAMODB", "DynamoDB_20120810.PutItem", &put).await, json!({}));
    }
    let mut records = Vec::new();
    while records.len() < 2 {
        records.extend(seen.recv().await.unwrap());
    }
    let keys: Vec<&Value> = records.iter().map(|record| &record["dynamodb"]["Keys"]["pk"]["S"]).collect();
    assert_eq!(keys, ["b", "c"], "the matching records in order");
    assert!(records[0]["eventSourceARN"].as_str().unwrap().contains("table/core/stream/"), "{}", records[0]);
    stack.stop().await;
    assert!(seen.try_recv().is_err(), "each once");
}

#[tokio::test]
async fn only_failed_messages_of_a_remote_queue_are_received_again() {
    let body = |record: &Value| (record["body"].clone(), record["messageId"].clone());
    let failed_once = std::sync::atomic::AtomicBool::new(false);
    let (function, mut seen) = noting(body, move |notes| {
        let bad = notes.iter().find(|(body, _)| body == "bad").map(|(_, id)| id.clone());
        let bad = bad.filter(|_| !failed_once.swap(true, std::sync::atomic::Ordering::SeqCst));
        let failures: Vec<Value> = bad.iter().map(|id| json!({"itemIdentifier": id})).collect();
        async move { Ok(json!({"batchItemFailures": failures}).to_string()) }
    });
    let (stack, api) = start(functions("deliver", &function)).await;
    for (body, delay_seconds) in [("late", 1), ("bad", 0), ("good", 0)] {
        let message = json!({"QueueUrl": path("work"), "MessageBody": body, "DelaySeconds": delay_seconds});
        let answer = api.call("SQS", "AmazonSQS.SendMessage", &message).await;
        assert!(answer["MessageId"].is_string(), "{answer}");
    }
    let mut bodies = Vec::new();
    while bodies.len() < 4 {
        bodies.extend(seen.recv().await.unwrap().into_iter().map(|(body, _)| body));
    }
    bodies.sort_by_key(ToString::to_string);
    assert_eq!(bodies, ["bad", "bad", "good", "late"]);
    stack.stop().await;
    assert!(seen.try_recv().is_err(), "handled messages are deleted");
}

#[tokio::test]
async fn secrets_are_created_remotely_and_rejections_are_recorded() {
    let (stack, api) = start(functions("none", &closure(|_| async { Ok("{}".to_owned()) }))).await;
    let text = stack.secret("/test/signing-key").await.unwrap().unwrap();
    assert_eq!(text.len(), 43);
    assert_eq!(stack.secret("/test/absent").await.unwrap(), None);
    let read = json!({"SecretId": "/test/signing-key"});
    let answer = api.call("SECRETS_MANAGER", "secretsmanager.GetSecretValue", &read).await;
    assert_eq!(answer["SecretString"], text.as_str());
    assert_eq!(stack.refusals().all(), []);

    let get = json!({"TableName": "absent", "Key": {"pk": {"S": "a"}}});
    api.call("DYNAMODB", "DynamoDB_20120810.GetItem", &get).await;
    let refusals = stack.refusals().all();
    assert_eq!(refusals.len(), 1);
    assert_eq!(
        (refusals[0].caller.as_str(), refusals[0].operation.as_str(), refusals[0].code.as_str()),
        ("ApiFunction", "GetItem", "ResourceNotFoundException")
    );
    assert!(refusals[0].request.contains("absent"), "{refusals:?}");
}
