use axum::body::Body;
use chrono::{TimeDelta, Utc};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::json;
use tower::ServiceExt as _;

use super::*;
use crate::error::ErrorKind;

const NOW: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(20);

fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn in_memory(time: &Time) -> Sqs {
    let sqs = Sqs::open(None, time.clone(), Calls::default()).unwrap();
    sqs.create_queue("dlq", &BTreeMap::new()).unwrap();
    let policy = json!({"deadLetterTargetArn": arn("dlq"), "maxReceiveCount": "2"}).to_string();
    let attributes = [("VisibilityTimeout", "30"), ("RedrivePolicy", policy.as_str())];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
    sqs.create_queue("work", &BTreeMap::from(attributes)).unwrap();
    sqs
}

async fn call(sqs: &Sqs, operation: &str, body: Value) -> (StatusCode, Value) {
    let request = Request::post("/")
        .header("host", "127.0.0.1:1")
        .header("x-amz-target", format!("AmazonSQS.{operation}"))
        .body(Body::from(body.to_string()))
        .unwrap();
    let response = sqs.router().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}

async fn send(sqs: &Sqs, body: &str, more: Value) {
    let mut request = json!({"QueueUrl": path("work"), "MessageBody": body});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (status, answer) = call(sqs, "SendMessage", request).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

async fn bodies(sqs: &Sqs, queue: &str, most: usize) -> Vec<String> {
    sqs.receive(queue, most, NOW).await.unwrap().into_iter().map(|message| message.body).collect()
}

#[tokio::test]
async fn messages_survive_a_restart_and_those_in_flight_are_visible_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queues.db");
    let time = Time::manual(noon());
    let open = || Sqs::open(Some(&file), time.clone(), Calls::default()).unwrap();
    let sqs = open();
    sqs.create_queue("work", &BTreeMap::new()).unwrap();
    send(&sqs, "in flight", json!({})).await;
    let before = sqs.receive("work", 1, NOW).await.unwrap();
    send(&sqs, "delayed", json!({"DelaySeconds": 60, "MessageGroupId": "g"})).await;
    drop(sqs);

    let sqs = open();
    let after = sqs.receive("work", 10, NOW).await.unwrap();
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].message_id, before[0].message_id);
    assert_eq!(after[0].attributes["ApproximateReceiveCount"], "2");
    sqs.delete("work", &[after[0].receipt_handle.clone()]).unwrap();
    time.advance(TimeDelta::seconds(59));
    assert!(bodies(&sqs, "work", 10).await.is_empty());
    time.advance(TimeDelta::seconds(1));
    let delayed = sqs.receive("work", 10, NOW).await.unwrap();
    assert_eq!(delayed[0].body, "delayed");
    assert_eq!(delayed[0].attributes["MessageGroupId"], "g");
    assert_eq!(delayed[0].attributes["SentTimestamp"], noon().timestamp_millis().to_string());
}

#[tokio::test]
async fn crashes_do_not_count_as_receives() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queues.db");
    let open = || Sqs::open(Some(&file), Time::manual(noon()), Calls::default()).unwrap();
    let sqs = open();
    sqs.create_queue("work", &BTreeMap::new()).unwrap();
    send(&sqs, "in flight", json!({})).await;
    sqs.receive("work", 1, NOW).await.unwrap();
    drop(sqs);
    for _ in 0..12 {
        let received = open().receive("work", 1, NOW).await.unwrap();
        assert_eq!(received[0].attributes["ApproximateReceiveCount"], "2");
    }
}

#[tokio::test]
async fn a_file_is_opened_exclusively() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queues.db");
    let first = Sqs::open(Some(&file), Time::system(), Calls::default()).unwrap();
    assert!(Sqs::open(Some(&file), Time::system(), Calls::default()).is_err());
    drop(first);
    assert!(Sqs::open(Some(&file), Time::system(), Calls::default()).is_ok());
}

#[tokio::test]
async fn a_waiting_poller_is_woken_by_a_send() {
    let sqs = in_memory(&Time::manual(noon()));
    let poller = sqs.receive("work", 10, LONG);
    let (received, ()) = tokio::join!(poller, send(&sqs, "x", json!({})));
    assert_eq!(received.unwrap()[0].body, "x");
}

#[tokio::test]
async fn a_waiting_poller_is_woken_when_a_delay_or_a_visibility_timeout_ends() {
    let time = Time::manual(noon());
    let sqs = in_memory(&time);
    send(&sqs, "x", json!({"DelaySeconds": 10})).await;
    for (seconds, receives) in [(10, "1"), (30, "2")] {
        let later = async {
            for _ in 0..seconds {
                tokio::task::yield_now().await;
                time.advance(TimeDelta::seconds(1));
            }
        };
        let (received, ()) = tokio::join!(sqs.receive("work", 10, Duration::from_mins(1)), later);
        assert_eq!(received.unwrap()[0].attributes["ApproximateReceiveCount"], receives);
    }
}

#[tokio::test]
async fn a_cancelled_poll_receives_nothing() {
    let sqs = in_memory(&Time::manual(noon()));
    {
        let mut poller = std::pin::pin!(sqs.receive("work", 10, LONG));
        std::future::poll_fn(|context| {
            assert!(poller.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        send(&sqs, "x", json!({})).await;
    }
    assert_eq!(bodies(&sqs, "work", 10).await, ["x"]);
}

#[tokio::test]
async fn a_poll_waits_by_the_stacks_time() {
    let time = Time::manual(noon());
    let sqs = in_memory(&time);
    let later = async { time.advance(TimeDelta::seconds(20)) };
    let (received, ()) = tokio::join!(sqs.receive("work", 10, LONG), later);
    assert!(received.unwrap().is_empty());
    assert_eq!(sqs.0.calls.of("sqs", "ReceiveMessage"), 1);
}

#[tokio::test]
async fn requests_of_the_poller_are_counted_as_lambda_makes_them() {
    let time = Time::manual(noon());
    let sqs = in_memory(&time);
    for _ in 0..25 {
        send(&sqs, "x", json!({})).await;
    }
    let received = sqs.receive("work", 50, LONG).await.unwrap();
    assert_eq!(received.len(), 25);
    assert_eq!(sqs.0.calls.of("sqs", "ReceiveMessage"), 3);
    let receipts: Vec<String> = received.into_iter().map(|message| message.receipt_handle).collect();
    sqs.delete("work", &receipts).unwrap();
    assert_eq!(sqs.0.calls.of("sqs", "DeleteMessageBatch"), 3);
    // Short polls without messages add up: twelve of five seconds count as three of twenty.
    for _ in 0..12 {
        let later = async { time.advance(TimeDelta::seconds(5)) };
        let (received, ()) = tokio::join!(sqs.receive("work", 10, Duration::from_secs(5)), later);
        assert!(received.unwrap().is_empty());
    }
    assert_eq!(sqs.0.calls.of("sqs", "ReceiveMessage"), 6);
    assert_eq!(sqs.0.calls.of("sqs", "SendMessage"), 25);
}

#[tokio::test]
async fn groups_are_served_round_robin() {
    let sqs = in_memory(&Time::manual(noon()));
    for n in 0..20 {
        send(&sqs, &format!("a{n}"), json!({"MessageGroupId": "a"})).await;
    }
    for body in ["b0", "c0", "c1"] {
        send(&sqs, body, json!({"MessageGroupId": &body[..1]})).await;
    }
    assert_eq!(bodies(&sqs, "work", 3).await, ["a0", "b0", "c0"]);
    assert_eq!(bodies(&sqs, "work", 1).await, ["a1"]);
    assert_eq!(bodies(&sqs, "work", 3).await, ["c1", "a2", "a3"]);
}

#[tokio::test]
async fn a_batch_has_each_message_once_after_the_last_served_group_is_empty() {
    let sqs = in_memory(&Time::manual(noon()));
    send(&sqs, "a", json!({"MessageGroupId": "a"})).await;
    let served = sqs.receive("work", 1, NOW).await.unwrap();
    sqs.delete("work", &[served[0].receipt_handle.clone()]).unwrap();
    send(&sqs, "b", json!({"MessageGroupId": "b"})).await;
    assert_eq!(bodies(&sqs, "work", 10).await, ["b"]);
}

#[tokio::test]
async fn a_message_that_is_received_too_often_is_a_dead_letter_until_its_redrive() {
    let time = Time::manual(noon());
    let sqs = in_memory(&time);
    send(&sqs, "poison", json!({"MessageGroupId": "g"})).await;
    for _ in 0..2 {
        assert_eq!(bodies(&sqs, "work", 10).await, ["poison"]);
        time.advance(TimeDelta::seconds(30));
    }
    let (dead, none) = tokio::join!(sqs.receive("dlq", 10, LONG), async { bodies(&sqs, "work", 10).await });
    assert!(none.is_empty());
    assert_eq!(dead.unwrap()[0].attributes["DeadLetterQueueSourceArn"], arn("work"));
    time.advance(TimeDelta::seconds(30));
    let request = json!({"SourceArn": arn("dlq")});
    let (status, _) = call(&sqs, "StartMessageMoveTask", request.clone()).await;
    assert_eq!(status, StatusCode::OK);
    let (_, moves) = call(&sqs, "ListMessageMoveTasks", request).await;
    assert_eq!(moves["Results"][0]["ApproximateNumberOfMessagesMoved"], 1);
    let back = sqs.receive("work", 10, NOW).await.unwrap();
    assert_eq!(back[0].attributes["ApproximateReceiveCount"], "1");
    assert_eq!(back[0].attributes["MessageGroupId"], "g");
}

#[tokio::test]
async fn a_message_is_deleted_after_the_retention_period() {
    let time = Time::manual(noon());
    let sqs = in_memory(&time);
    send(&sqs, "x", json!({})).await;
    time.advance(TimeDelta::days(4) + TimeDelta::milliseconds(1));
    assert!(bodies(&sqs, "work", 10).await.is_empty());
}

#[tokio::test]
async fn creating_a_queue_again_replaces_its_attributes_and_keeps_its_messages() {
    let sqs = in_memory(&Time::manual(noon()));
    send(&sqs, "x", json!({})).await;
    sqs.create_queue("work", &BTreeMap::from([("DelaySeconds".to_owned(), "5".to_owned())])).unwrap();
    let asked = json!({"QueueUrl": path("work"), "AttributeNames": ["All"]});
    let (_, answer) = call(&sqs, "GetQueueAttributes", asked).await;
    assert_eq!(answer["Attributes"]["DelaySeconds"], "5");
    assert_eq!(answer["Attributes"]["RedrivePolicy"], Value::Null);
    assert_eq!(answer["Attributes"]["ApproximateNumberOfMessages"], "1");
}

#[tokio::test]
async fn a_queue_whose_dead_letter_queue_does_not_exist_is_rejected() {
    let sqs = in_memory(&Time::manual(noon()));
    let policy = json!({"deadLetterTargetArn": arn("absent"), "maxReceiveCount": 3}).to_string();
    let refused = sqs.create_queue("q", &BTreeMap::from([("RedrivePolicy".to_owned(), policy)]));
    assert_eq!(refused.unwrap_err().kind, ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn deleting_a_queue_ends_its_polls() {
    let sqs = in_memory(&Time::manual(noon()));
    assert_eq!(sqs.receive("absent", 1, NOW).await.unwrap_err().kind, ErrorKind::NotFound);
    let request = json!({"QueueUrl": path("work")});
    let (polled, _) = tokio::join!(sqs.receive("work", 1, LONG), call(&sqs, "DeleteQueue", request));
    assert_eq!(polled.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn an_error_has_its_names_of_both_protocols() {
    let sqs = in_memory(&Time::manual(noon()));
    let request = Request::post("/")
        .header("x-amz-target", "AmazonSQS.GetQueueUrl")
        .body(Body::from(r#"{"QueueName":"absent"}"#))
        .unwrap();
    let response = sqs.router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(response.headers()["x-amzn-query-error"], "AWS.SimpleQueueService.NonExistentQueue;Sender");
}
