//! A stack that uses services elsewhere: these are ours too, at one address, and others could be there.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use serde_json::{Value, json};
use stella::aws::Aws;
use stella::queue::{Outgoing, Queue};
use stella::secrets;
use stella::store::{Key, Table};
use stella_local::calls::Calls;
use stella_local::dynamodb::DynamoDb;
use stella_local::secrets_manager::SecretsManager;
use stella_local::sqs::Sqs;
use stella_local::stack::{Functions, Settings, Stack};
use stella_local::time::Time;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use super::{closure, functions, noting, settings};

/// Services at one address, told apart by what is asked of them.
async fn services() -> String {
    let calls = Calls::default();
    let tables = DynamoDb::open(None).unwrap().router();
    let queues = Sqs::open(None, Time::system(), calls.clone()).unwrap().router();
    let secrets = SecretsManager::open(None, Time::system(), calls).unwrap().router();
    let router = Router::new().fallback(move |request: Request| {
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

/// A stack on such services by the machine's time, with what reaches them as its function `api` does.
async fn start(functions: Functions) -> (Stack, Aws) {
    let seen = Arc::new(Mutex::new(None));
    let told = Arc::clone(&seen);
    let functions = functions.with("api", move |environment| {
        *told.lock().unwrap() = Some(environment);
        async { Ok(closure(|_| async { Ok("{}".to_owned()) })) }
    });
    let settings = Settings {
        time: Time::system(),
        patience: Some(Duration::from_secs(20)),
        aws_endpoint: Some(services().await),
        ..settings(functions)
    };
    let template = settings.template.replace("VisibilityTimeout: 60", "VisibilityTimeout: 1");
    let stack = Stack::start(Settings { template, ..settings }).await.unwrap();
    let environment = seen.lock().unwrap().take().unwrap();
    (stack, Aws::new(&environment).unwrap())
}

fn key(pk: &str) -> Key {
    Key { pk: pk.to_owned(), sk: "-".to_owned() }
}

#[tokio::test]
async fn records_of_a_stream_elsewhere_reach_their_function() {
    let (function, mut seen) = noting(Value::clone, |_| async { Ok("{}".to_owned()) });
    let (stack, aws) = start(functions("fanout", &function)).await;
    let table = Table::new(aws.dynamodb(), "core");
    for (pk, entity) in [("a", "mark"), ("b", "event"), ("c", "event")] {
        table.put(&key(pk), &json!({ "entity": entity })).await.unwrap();
    }
    let mut records = Vec::new();
    while records.len() < 2 {
        records.extend(seen.recv().await.unwrap());
    }
    let keys: Vec<&Value> = records.iter().map(|record| &record["dynamodb"]["Keys"]["pk"]["S"]).collect();
    assert_eq!(keys, ["b", "c"], "what the pattern wants, in order");
    assert!(records[0]["eventSourceARN"].as_str().unwrap().contains("table/core/stream/"), "{}", records[0]);
    stack.stop().await;
    assert!(seen.try_recv().is_err(), "each once");
}

#[tokio::test]
async fn of_messages_elsewhere_only_what_failed_comes_again() {
    let body = |record: &Value| (record["body"].clone(), record["messageId"].clone());
    let failed_once = std::sync::atomic::AtomicBool::new(false);
    let (function, mut seen) = noting(body, move |notes| {
        let bad = notes.iter().find(|(body, _)| body == "\"bad\"").map(|(_, id)| id.clone());
        let bad = bad.filter(|_| !failed_once.swap(true, std::sync::atomic::Ordering::SeqCst));
        let failures: Vec<Value> = bad.iter().map(|id| json!({"itemIdentifier": id})).collect();
        async move { Ok(json!({"batchItemFailures": failures}).to_string()) }
    });
    let (stack, aws) = start(functions("deliver", &function)).await;
    let queue = Queue::new(aws.sqs(), "http://sqs/000000000000/work");
    for (body, delay_seconds) in [("late", 1), ("bad", 0), ("good", 0)] {
        queue.send(Outgoing { body: &body, group: "g".to_owned(), delay_seconds }).await.unwrap();
    }
    let mut bodies = Vec::new();
    while bodies.len() < 4 {
        bodies.extend(seen.recv().await.unwrap().into_iter().map(|(body, _)| body));
    }
    bodies.sort_by_key(ToString::to_string);
    assert_eq!(bodies, ["\"bad\"", "\"bad\"", "\"good\"", "\"late\""]);
    stack.stop().await;
    assert!(seen.try_recv().is_err(), "what was handled is deleted");
}

#[tokio::test]
async fn the_operators_key_is_made_elsewhere_and_what_is_refused_there_is_noted() {
    let (stack, aws) = start(functions("none", &closure(|_| async { Ok("{}".to_owned()) }))).await;
    let text = secrets::read(&aws.secrets_manager(), "/test/system/operator-key").await.unwrap();
    assert_eq!(stack.operator_key().unwrap(), format!("stk_operator_{text}"));
    assert_eq!(text.len(), 43);
    assert_eq!(stack.refusals().all(), []);

    let absent = Table::new(aws.dynamodb(), "absent");
    absent.get::<Value>(&key("a")).await.unwrap_err();
    let refusals = stack.refusals().all();
    assert_eq!(refusals.len(), 1);
    assert_eq!(
        (refusals[0].caller.as_str(), refusals[0].operation.as_str(), refusals[0].code.as_str()),
        ("ApiFunction", "GetItem", "ResourceNotFoundException")
    );
    assert!(refusals[0].request.contains("absent"), "{refusals:?}");
}
