//! The process dies at random moments: nothing that was accepted is lost, and what comes twice has one id.

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
/// How many requests are under way at once.
const PUBLISHERS: usize = 8;
/// How long the last process has for what is left.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the receiver got: the delivery ids of each event's marker.
#[derive(Clone, Default)]
struct Got(Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>, Arc<Notify>);

async fn receive(State(got): State<Got>, headers: HeaderMap, body: String) {
    let body: Value = serde_json::from_str(&body).unwrap();
    let marker = body["data"]["marker"].as_str().unwrap().to_owned();
    let delivery = headers["x-stella-delivery"].to_str().unwrap().to_owned();
    got.0.lock().unwrap().entry(marker).or_default().insert(delivery);
    got.1.notify_one();
}

/// Starts the binary; gives it with its address and the tenant's key.
async fn start(data: &Path) -> (Child, String, String) {
    let (process, printed) = process::start(data, &[], Stdio::inherit(), "error").await;
    (process, process::after(&printed, "listening on "), process::after(&printed, "tenant key: "))
}

/// Publishes one event; whether it was accepted.
async fn publish(client: &Client, marker: &str) -> bool {
    let data = json!({"marker": marker, "release": {"id": "r", "name": marker}});
    let answer = client.post("/api/v1/events", &json!({"event": "release.created", "data": data})).await;
    answer.is_ok_and(|answer| answer.status == StatusCode::ACCEPTED)
}

/// Publishes until the process dies, at a moment of chance; the markers of what was accepted.
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
    // Somewhere between two steps, wherever they are by then.
    let until = Instant::now() + more;
    while Instant::now() < until {
        tokio::task::yield_now().await;
    }
    process.kill().await.unwrap();
    while publishers.join_next().await.is_some() {}
    accepted.lock().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_twenty_times_with_events_in_flight_it_loses_none_of_them() {
    killed(20).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make torture"]
async fn killed_a_hundred_times_it_does_not_either() {
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
    let arrived = tokio::time::timeout(PATIENCE, all).await;
    assert!(arrived.is_ok(), "lost {} of {}: {:?}", missing().len(), accepted.len(), missing());
    let ids = got.0.lock().unwrap().clone();
    assert!(ids.values().all(|ids| ids.len() == 1), "an event has one delivery, and it has one id");
    println!("{rounds} rounds, {} events accepted, none lost", accepted.len());
}
