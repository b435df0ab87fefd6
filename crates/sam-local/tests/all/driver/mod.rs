//! A stack with small functions: their event sources, and what follows from their answers.

mod http_api;
mod queue;
mod remote;
mod stack;
mod stream;

use std::sync::{Arc, Mutex};

use axum::body::Body;
use chrono::{DateTime, Utc};
use http::Request;
use sam_local::{Answer, Environment, Function, FunctionError, Functions, Settings, Stack, Time};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::ServiceExt as _;

/// A function that calls a closure with the event.
#[derive(Clone)]
struct Closure(Arc<dyn Fn(Value) -> Later + Send + Sync>);

type Later = std::pin::Pin<Box<dyn Future<Output = Result<String, FunctionError>> + Send>>;

impl Function for Closure {
    fn handle<'a>(&'a self, event: &'a str, _deadline: DateTime<Utc>) -> Answer<'a> {
        (self.0)(serde_json::from_str(event).unwrap())
    }
}

fn closure<A>(handle: impl Fn(Value) -> A + Send + Sync + 'static) -> Closure
where
    A: Future<Output = Result<String, FunctionError>> + Send + 'static,
{
    Closure(Arc::new(move |event| Box::pin(handle(event))))
}

/// Functions of which all but one do nothing.
fn functions(code: &str, function: &Closure) -> Functions {
    let idle = closure(|_| async { Ok("{}".to_owned()) });
    ["api", "deliver", "fanout", "sweep"].into_iter().fold(Functions::default(), |functions, each| {
        let function = if each == code { function.clone() } else { idle.clone() };
        functions.with(each, move |_: Environment| {
            let function = function.clone();
            async move { Ok(function) }
        })
    })
}

fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn settings(functions: Functions) -> Settings {
    Settings {
        time: Time::manual(noon()),
        api_url_variable: Some("PUBLIC_URL".to_owned()),
        ..Settings::new(include_str!("template.yaml"), functions)
    }
}

/// A stack in memory with one function that does something.
async fn start(code: &str, function: Closure) -> Stack {
    Stack::start(settings(functions(code, &function))).await.unwrap()
}

/// A function that notes each record of its events, and the receiver of its notes.
fn noting<T, A>(
    note: impl Fn(&Value) -> T + Send + Sync + 'static,
    then: impl Fn(Vec<T>) -> A + Send + Sync + 'static,
) -> (Closure, mpsc::UnboundedReceiver<Vec<T>>)
where
    T: Clone + Send + 'static,
    A: Future<Output = Result<String, FunctionError>> + Send + 'static,
{
    let (sender, receiver) = mpsc::unbounded_channel();
    let function = closure(move |event| {
        let notes: Vec<T> = event["Records"].as_array().unwrap().iter().map(&note).collect();
        // A test that has seen enough drops the receiver.
        let _ = sender.send(notes.clone());
        then(notes)
    });
    (function, receiver)
}

async fn send(stack: &Stack, bodies: &[&str]) {
    for body in bodies {
        let message = json!({"QueueUrl": "http://sqs/000000000000/work", "MessageBody": body});
        let request = Request::post("/")
            .header("x-amz-target", "AmazonSQS.SendMessage")
            .header("content-type", "application/x-amz-json-1.0")
            .body(Body::from(message.to_string()))
            .unwrap();
        assert_eq!(stack.sqs().router().oneshot(request).await.unwrap().status(), 200);
    }
}

async fn put(stack: &Stack, keys: &[&str], entity: &str) {
    for pk in keys {
        let put = json!({"TableName": "core", "Item": {"pk": {"S": pk}, "entity": {"S": entity}}});
        let request = Request::post("/")
            .header("x-amz-target", "DynamoDB_20120810.PutItem")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-date", "20260301T120000Z")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=a/20260301/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00",
            )
            .body(Body::from(put.to_string()))
            .unwrap();
        assert_eq!(stack.dynamodb().router().oneshot(request).await.unwrap().status(), 200);
    }
}

/// Functions, and the environments with which `api` is started.
fn observed() -> (Functions, Arc<Mutex<Vec<Environment>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let idle = closure(|_| async { Ok("{}".to_owned()) });
    let functions = functions("none", &idle).with("api", move |environment| {
        noted.lock().unwrap().push(environment);
        let idle = idle.clone();
        async move { Ok(idle) }
    });
    (functions, seen)
}
