//! Lanes and rate limits: a hanging receiver delays no other.

use chrono::{DateTime, Duration, Utc};
use end_to_end::World;
use end_to_end::receiver::Receiver;
use futures_util::future::join_all;
use serde_json::json;
use tokio::net::TcpListener;

/// A receiver that accepts connections and never answers.
async fn hanging() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            held.push(connection);
        }
    });
    url
}

#[tokio::test]
async fn deliveries_to_a_hanging_receiver_delay_no_other_receiver() {
    let world = World::start().await;
    let healthy = Receiver::accepting().await;
    let body = json!({"name": "hangs", "url": hanging().await, "events": ["deployment.failed"]});
    let hangs = world.subscription(&body).await;
    let body = json!({"name": "healthy", "url": healthy.url, "events": ["release.created"]});
    world.subscription(&body).await;
    for _ in 0..30 {
        join_all((0..50).map(|_| world.publish("deployment.failed"))).await;
    }
    for _ in 0..20 {
        world.publish("release.created").await;
    }
    healthy.wait_for(20).await;
    // The healthy receiver got everything before the first attempt to the hanging one timed out.
    let rows = world.deliveries(&hangs, |_| true).await;
    assert!(rows.is_empty(), "{} attempts have ended", rows.len());
}

#[tokio::test]
async fn a_rate_limit_holds_over_any_ten_seconds_and_uses_no_attempts() {
    let world = World::at("2026-03-01T12:00:00Z").await;
    let receiver = Receiver::accepting().await;
    let body = json!({"name": "slow", "url": receiver.url, "events": ["release.created"],
        "rateLimitPerSecond": 2});
    let subscription = world.subscription(&body).await;
    assert_eq!(subscription["rateLimitPerSecond"], 2);
    join_all((0..40).map(|_| world.publish("release.created"))).await;
    while receiver.received().len() < 40 {
        // The functions run while the log is read; then the clock moves a little.
        world.deliveries(&subscription, |_| true).await;
        world.time.advance(Duration::milliseconds(100));
    }
    let received = receiver.received();
    let mut times: Vec<DateTime<Utc>> =
        received.iter().map(|request| request.header("x-stella-timestamp").parse().unwrap()).collect();
    times.sort_unstable();
    for (number, from) in times.iter().enumerate() {
        let until = *from + Duration::seconds(10);
        let within = times[number..].iter().take_while(|time| **time < until).count();
        assert!(within <= 22, "{within} within ten seconds from {from}");
    }
    assert!(received.iter().all(|request| request.header("x-stella-attempt") == "1"));
    let whole = *times.last().unwrap() - times[0];
    assert!(whole >= Duration::seconds(18), "{whole}");
}
