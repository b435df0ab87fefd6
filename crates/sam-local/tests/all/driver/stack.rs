//! The stack as a whole: resources, environments of functions, start and stop.

use std::sync::Arc;

use sam_local::{Data, ErrorKind, FunctionError, Settings, Stack};
use serde_json::json;
use tokio::sync::Notify;

use super::{closure, functions, observed, send, settings, start};

#[tokio::test]
async fn a_function_gets_the_templates_variables_and_the_endpoints() {
    let (functions, seen) = observed();
    let stack = Stack::start(settings(functions)).await.unwrap();
    let environment = seen.lock().unwrap().pop().unwrap();
    let variable = |name: &str| environment.variable(name).unwrap().to_owned();
    assert_eq!(variable("TABLE"), "core");
    assert_eq!(variable("PUBLIC_URL"), stack.url());
    assert_eq!(variable("AWS_REGION"), "us-east-1");
    // The endpoints know the function by its access key.
    assert!(variable("AWS_ACCESS_KEY_ID").ends_with("Function"));
    assert_eq!(variable("AWS_SECRET_ACCESS_KEY").len(), 64);
    let endpoints =
        ["DYNAMODB", "SQS", "SECRETS_MANAGER"].map(|name| variable(&format!("AWS_ENDPOINT_URL_{name}")));
    assert!(endpoints.iter().all(|endpoint| endpoint.starts_with("http://127.0.0.1:")), "{endpoints:?}");
    assert_eq!(environment.time().now(), super::noon());
}

#[tokio::test]
async fn a_generated_secret_is_kept_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let data = Data::Folder(folder.path().to_owned());
    let mut keys = Vec::new();
    for _ in 0..2 {
        let (functions, _) = observed();
        let stack = Stack::start(Settings { data: data.clone(), ..settings(functions) }).await.unwrap();
        keys.push(stack.secret("/test/signing-key").await.unwrap().unwrap());
        stack.stop().await;
    }
    assert_eq!(keys[0], keys[1]);
    assert_eq!(keys[0].len(), 43);
}

#[tokio::test]
async fn a_second_stack_cannot_use_the_same_directory_or_port() {
    let folder = tempfile::tempdir().unwrap();
    let data = Data::Folder(folder.path().to_owned());
    let (functions, _) = observed();
    let stack = Stack::start(Settings { data: data.clone(), ..settings(functions.clone()) }).await.unwrap();
    let error = Stack::start(Settings { data, ..settings(functions.clone()) }).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::DataDirInUse, "{error}");
    let port = stack.url().rsplit(':').next().unwrap().parse().unwrap();
    let error = Stack::start(Settings { port, ..settings(functions) }).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::PortInUse, "{error}");
}

#[tokio::test]
async fn stopping_waits_for_running_invocations() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let finished = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let parts = (Arc::clone(&begun), Arc::clone(&go_on), Arc::clone(&finished));
    let function = closure(move |_| {
        let (begun, go_on, finished) = parts.clone();
        async move {
            begun.notify_one();
            go_on.notified().await;
            finished.store(true, std::sync::atomic::Ordering::SeqCst);
            Ok("{}".to_owned())
        }
    });
    let stack = start("deliver", function).await;
    send(&stack, &["one"]).await;
    begun.notified().await;
    let ((), ()) = tokio::join!(stack.stop(), async {
        tokio::task::yield_now().await;
        go_on.notify_one();
    });
    assert!(finished.load(std::sync::atomic::Ordering::SeqCst));
}

#[tokio::test]
async fn a_stack_does_not_start_without_one_of_its_functions() {
    let idle = closure(|_| async { Ok("{}".to_owned()) });
    let failing = functions("none", &idle).with("api", |_| async {
        Err::<super::Closure, _>(FunctionError::from("a required variable is not set"))
    });
    let error = Stack::start(settings(failing)).await.err().unwrap();
    assert!(error.to_string().contains("api"), "{error}");
}

#[tokio::test]
async fn a_stack_does_not_start_with_an_unsupported_pattern() {
    let (functions, _) = observed();
    let settings = settings(functions);
    let odd = json!({"eventName": [{"wildcard": "IN*"}]}).to_string();
    let template = settings
        .template
        .replace(r#"{"eventName":["INSERT"],"dynamodb":{"NewImage":{"entity":{"S":["event"]}}}}"#, &odd);
    let error = Stack::start(Settings { template, ..settings }).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::UnsupportedPattern);
}
