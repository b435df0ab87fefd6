//! The process crashes at the point that `--die` names, and the next process finishes the work.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use stella_local::client::Client;

use super::process;

/// The delivery ids that the receiver got.
#[derive(Clone, Default)]
struct Got(Arc<Mutex<Vec<String>>>);

async fn receive(State(got): State<Got>, headers: HeaderMap) {
    got.0.lock().unwrap().push(headers["x-stella-delivery"].to_str().unwrap().to_owned());
}

/// The status of the only delivery.
async fn status(client: &Client, subscription: &str) -> Value {
    let path = format!("/api/v1/webhook-subscriptions/{subscription}/deliveries");
    client.get(&path).await.unwrap().data()[0]["status"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_between_an_attempt_and_its_write_the_next_process_continues() {
    let got = Got::default();
    let url = process::serve(Router::new().fallback(receive).with_state(got.clone())).await;
    let data = tempfile::tempdir().unwrap();

    let options = ["--die", "before DeliverFunction PutItem"];
    let (mut process, printed) = process::start(data.path(), &options, Stdio::inherit(), "error").await;
    let key = process::after(&printed, "tenant key: ");
    let client = Client::new(&process::after(&printed, "listening on "), Some(&key));
    let body = json!({"name": "s", "url": url, "events": ["release.created"]});
    let made = client.post("/api/v1/webhook-subscriptions", &body).await.unwrap();
    let subscription = made.data()["id"].as_str().unwrap().to_owned();
    let data_of = json!({"release": {"id": "r", "name": "r"}});
    let event = json!({"event": "release.created", "data": data_of});
    assert_eq!(client.post("/api/v1/events", &event).await.unwrap().status, StatusCode::ACCEPTED);
    let ended = tokio::time::timeout(Duration::from_mins(1), process.wait()).await;
    assert!(!ended.expect("it died").unwrap().success(), "the process crashed before it finished");
    assert_eq!(got.0.lock().unwrap().len(), 1, "the attempt was made");

    let (_process, printed) = process::start(data.path(), &[], Stdio::inherit(), "error").await;
    let client = Client::new(&process::after(&printed, "listening on "), Some(&key));
    let delivered = async { while status(&client, &subscription).await != "delivered" {} };
    assert!(tokio::time::timeout(Duration::from_mins(1), delivered).await.is_ok(), "the delivery continues");
    let ids = got.0.lock().unwrap().clone();
    // The attempt is repeated before the clock moves: its message is received again, or its fan-out is
    // repeated.
    assert!(ids.len() <= 3 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}
