//! The process is killed at random moments: every accepted event is delivered, and repeated deliveries keep
//! their id.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use stella_local::client::Client;
use tokio::process::Child;
use tokio::sync::Notify;

use super::process;

const EVENTS: usize = 200;
/// The number of concurrent publishers.
const PUBLISHERS: usize = 8;
/// How long the last process may take to deliver everything that is missing.
const TIMEOUT: Duration = Duration::from_mins(1);

/// What the receiver got: the delivery ids, by the marker in the event's data.
#[derive(Clone, Default)]
struct Got(Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>, Arc<Notify>);

async fn receive(State(got): State<Got>, headers: HeaderMap, body: String) {
    let body: Value = serde_json::from_str(&body).unwrap();
    let marker = body["data"]["marker"].as_str().unwrap().to_owned();
    let delivery = headers["x-stella-delivery"].to_str().unwrap().to_owned();
    got.0.lock().unwrap().entry(marker).or_default().insert(delivery);
    got.1.notify_one();
}

/// Starts the binary. Returns it with its URL and the tenant's key.
async fn start(data: &Path) -> (Child, String, String) {
    let (process, printed) = process::start(data, &[], Stdio::inherit(), "error").await;
    (process, process::after(&printed, "listening on "), process::after(&printed, "tenant key: "))
}

/// Publishes one event. Returns whether it was accepted.
async fn publish(client: &Client, marker: &str) -> bool {
    let data = json!({"marker": marker, "release": {"id": "r", "name": marker}});
    let answer = client.post("/api/v1/events", &json!({"event": "release.created", "data": data})).await;
    answer.is_ok_and(|answer| answer.status == StatusCode::ACCEPTED)
}

/// Publishes until `after` events are accepted, and kills the process `more` later. Returns the markers of
/// the accepted events.
async fn round(number: usize, data: &Path, after: usize, more: Duration) -> Vec<String> {
    let (mut process, url, key) = start(data).await;
    let client = Client::new(&url, Some(&key));
    let accepted: Arc<Mutex<Vec<String>>> = Arc::default();
    let reached = Arc::new(Notify::new());
    let mut publishers = tokio::task::JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let (client, accepted, reached) = (client.clone(), Arc::clone(&accepted), Arc::clone(&reached));
        publishers.spawn(async move {
            for event in (publisher..EVENTS).step_by(PUBLISHERS) {
                let marker = format!("{number}-{event}");
                if !publish(&client, &marker).await {
                    return;
                }
                let mut accepted = accepted.lock().unwrap();
                accepted.push(marker);
                if accepted.len() >= after {
                    reached.notify_one();
                }
            }
        });
    }
    reached.notified().await;
    // The process is then at an arbitrary point of its work. A busy loop, because a timer is too coarse.
    let until = Instant::now() + more;
    while Instant::now() < until {
        tokio::task::yield_now().await;
    }
    process.kill().await.unwrap();
    while publishers.join_next().await.is_some() {}
    accepted.lock().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_accepted_event_is_lost_when_the_process_is_killed_twenty_times() {
    killed(20).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make torture"]
async fn no_accepted_event_is_lost_when_the_process_is_killed_a_hundred_times() {
    killed(100).await;
}

async fn killed(rounds: usize) {
    let got = Got::default();
    let url = process::serve(Router::new().fallback(receive).with_state(got.clone())).await;

    let data = tempfile::tempdir().unwrap();
    let (mut process, stack, key) = start(data.path()).await;
    let body = json!({"name": "s", "url": url, "events": ["release.created"]});
    let made = Client::new(&stack, Some(&key)).post("/api/v1/webhook-subscriptions", &body).await.unwrap();
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    process.kill().await.unwrap();

    let mut accepted = Vec::new();
    for number in 0..rounds {
        let chance: [u8; 2] = stella::random::bytes();
        let after = 1 + usize::from(chance[0]) * (EVENTS - 1) / 255;
        accepted.extend(
            round(number, data.path(), after, Duration::from_micros(20 * u64::from(chance[1]))).await,
        );
    }
    assert!(accepted.len() >= rounds, "{} events were accepted", accepted.len());

    let (_process, _, _) = start(data.path()).await;
    let missing = || {
        let got = got.0.lock().unwrap();
        accepted.iter().filter(|marker| !got.contains_key(*marker)).cloned().collect::<Vec<_>>()
    };
    let all = async {
        while !missing().is_empty() {
            got.1.notified().await;
        }
    };
    let arrived = tokio::time::timeout(TIMEOUT, all).await;
    assert!(arrived.is_ok(), "lost {} of {}: {:?}", missing().len(), accepted.len(), missing());
    let ids = got.0.lock().unwrap().clone();
    assert!(ids.values().all(|ids| ids.len() == 1), "an event has one delivery, and it has one id");
    println!("{rounds} rounds, {} events accepted, none lost", accepted.len());
}
