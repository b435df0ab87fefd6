//! Queues: batches, concurrency, and which messages are deleted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sam_local::{Settings, Stack, Time};
use serde_json::{Value, json};
use tokio::sync::{Barrier, mpsc};

use super::{functions, noon, noting, send, settings};

fn body_and_id(record: &Value) -> (String, String) {
    let text = |name: &str| record[name].as_str().unwrap().to_owned();
    (text("body"), text("messageId"))
}

#[tokio::test]
async fn only_failed_messages_are_received_again_after_the_visibility_timeout() {
    let (function, mut seen) = noting(body_and_id, |notes| async move {
        let failed: Vec<Value> = notes
            .iter()
            .filter(|(body, _)| body == "bad")
            .map(|(_, id)| json!({"itemIdentifier": id}))
            .collect();
        Ok(json!({"batchItemFailures": failed}).to_string())
    });
    let time = Time::manual(noon());
    let stack = Stack::start(Settings { time: time.clone(), ..settings(functions("deliver", &function)) })
        .await
        .unwrap();
    send(&stack, &["good", "bad"]).await;
    let mut first = Vec::new();
    while first.len() < 2 {
        first.extend(seen.recv().await.unwrap());
    }
    time.advance(chrono::Duration::seconds(59));
    assert!(seen.try_recv().is_err());
    time.advance(chrono::Duration::seconds(1));
    let again = seen.recv().await.unwrap();
    assert_eq!(again.iter().map(|(body, _)| body.as_str()).collect::<Vec<_>>(), ["bad"]);
    stack.stop().await;
}

#[tokio::test]
async fn after_an_error_a_panic_or_a_malformed_answer_all_messages_are_received_again() {
    for how in ["error", "panic", "malformed"] {
        let (function, mut seen) = noting(body_and_id, move |_| async move {
            match how {
                "error" => Err("broken".into()),
                "panic" => panic!("as asked"),
                _ => Ok(r#"{"batchItemFailures": [{"itemIdentifier": "unknown"}]}"#.to_owned()),
            }
        });
        let time = Time::manual(noon());
        let stack =
            Stack::start(Settings { time: time.clone(), ..settings(functions("deliver", &function)) })
                .await
                .unwrap();
        send(&stack, &["one"]).await;
        let first = seen.recv().await.unwrap();
        time.advance(chrono::Duration::seconds(60));
        assert_eq!(seen.recv().await.unwrap(), first, "{how}");
    }
}

#[tokio::test]
async fn concurrency_is_limited_by_the_template() {
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    // No invocation passes alone: two at once are required, three would be a mistake.
    let pair = Arc::new(Barrier::new(2));
    let (done, mut finished) = mpsc::unbounded_channel();
    let counted = Arc::clone(&most);
    let function = super::closure(move |event| {
        let (running, most) = (Arc::clone(&running), Arc::clone(&counted));
        let (pair, done) = (Arc::clone(&pair), done.clone());
        async move {
            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            pair.wait().await;
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            running.fetch_sub(1, Ordering::SeqCst);
            done.send(event["Records"].as_array().unwrap().len()).unwrap();
            Ok("{}".to_owned())
        }
    });
    let settings = settings(functions("deliver", &function));
    // One message each, so that the number of invocations does not depend on timing.
    let template = settings.template.replace("BatchSize: 3", "BatchSize: 1");
    let stack = Stack::start(Settings { template, ..settings }).await.unwrap();
    send(&stack, &["1", "2", "3", "4", "5", "6"]).await;
    for _ in 0..6 {
        assert_eq!(finished.recv().await.unwrap(), 1);
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
    assert_eq!(stack.calls().of("lambda", "DeliverFunction"), 6);
}

#[tokio::test]
async fn the_batch_size_is_limited_by_the_template() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let held = Arc::clone(&gate);
    let (function, mut seen) = noting(body_and_id, move |_| {
        let gate = Arc::clone(&held);
        async move {
            gate.acquire().await.unwrap().forget();
            Ok("{}".to_owned())
        }
    });
    let stack = super::start("deliver", function).await;
    // Two invocations are held with one message each; the other messages wait, and then come in full batches.
    send(&stack, &["1"]).await;
    assert_eq!(seen.recv().await.unwrap().len(), 1);
    send(&stack, &["2"]).await;
    assert_eq!(seen.recv().await.unwrap().len(), 1);
    send(&stack, &["3", "4", "5", "6"]).await;
    gate.add_permits(4);
    assert_eq!(seen.recv().await.unwrap().len(), 3);
    assert_eq!(seen.recv().await.unwrap().len(), 1);
    stack.stop().await;
}

#[tokio::test]
async fn handled_messages_are_deleted() {
    let (function, mut seen) = noting(body_and_id, |_| async { Ok(String::new()) });
    let stack = super::start("deliver", function).await;
    send(&stack, &["one"]).await;
    seen.recv().await.unwrap();
    let sqs = stack.sqs().clone();
    // Stopping waits for the invocation, and for the deletion after it.
    stack.stop().await;
    assert_eq!(sqs.receive("work", 10, std::time::Duration::ZERO).await.unwrap(), []);
}
