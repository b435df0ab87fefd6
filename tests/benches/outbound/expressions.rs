//! The most expensive expressions of one tenant: how long matching takes, and how late another tenant's
//! delivery is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::DateTime;
use end_to_end::World;
use end_to_end::receiver::Receiver;
use futures_util::future::join_all;
use serde_json::{Value, json};
use stella::domain::outbound::event::Event;
use stella::domain::outbound::event_type::EventType;
use stella::domain::outbound::matching::matching;
use stella::domain::outbound::subscription::{self, Subscription};
use uuid::Uuid;

use crate::report::Row;

const SUBSCRIPTIONS: usize = 200;
const EVENTS: usize = 100;

/// A subscription with an expensive filter. The two kinds exhaust different parts of a tenant's budget, and
/// together all of it.
fn body(number: usize) -> Value {
    let filter = match number % 2 {
        0 => json!({"field": "$..[?@.a.b.c != @.d]", "operator": "equals", "value": "nowhere"}),
        _ => json!({"field": "$.data.texts[*]", "operator": "matches", "value": "[01]*1[01]{300}$."}),
    };
    json!({"name": format!("worst {number}"), "url": "pull:", "events": ["release.created"], "filters": [filter]})
}

fn data() -> Value {
    let mut data = EventType::ReleaseCreated.example();
    data["many"] = json!(vec![json!({"a": {"b": {"c": 1}}, "d": 1}); 7_000]);
    data["texts"] = json!(vec!["1".repeat(700); 40]);
    data
}

/// How long the matching of one event takes, in milliseconds.
fn matched_ms() -> f64 {
    let stored = |number: usize| {
        let nil = Uuid::nil();
        let (spec, _) = subscription::parse(&body(number), false).unwrap();
        Arc::new(Subscription {
            id: nil.into(),
            tenant_id: nil.into(),
            handle: 1,
            spec,
            sealed_signature_secret: None,
            previous_secret: None,
            sealed_credential: None,
            disabled_reason: None,
            created_at: DateTime::default(),
            updated_at: DateTime::default(),
            revision: 1,
        })
    };
    let subscriptions: Vec<_> = (0..SUBSCRIPTIONS).map(stored).collect();
    let event = Event::new(
        Uuid::from_u128(1).into(),
        Uuid::nil().into(),
        EventType::ReleaseCreated,
        DateTime::default(),
        &data(),
    );
    assert_eq!(matching(&event, &subscriptions).failed.len(), SUBSCRIPTIONS);
    let began = Instant::now();
    for _ in 0..EVENTS {
        assert!(matching(&event, &subscriptions).matched.is_empty());
    }
    milliseconds(began) / EVENTS as f64
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

pub async fn expressions() -> Vec<Row> {
    let one = matched_ms();
    let world = World::start().await;
    let (stranger, receiver) = (world.stranger().await, Receiver::accepting().await);
    let healthy = json!({"name": "healthy", "url": receiver.url, "events": ["release.created"]});
    stranger.post("/api/v1/webhook-subscriptions", &healthy).await.unwrap();
    for number in 0..SUBSCRIPTIONS {
        world.subscription(&body(number)).await;
    }
    let (worst, mild) = (data(), EventType::ReleaseCreated.example());
    let publish = |data: &Value| json!({"event": "release.created", "data": data});
    let worst = publish(&worst);
    join_all((0..EVENTS).map(|_| world.post("/api/v1/events", &worst))).await;
    // All are published by now, and few are matched.
    let began = Instant::now();
    stranger.post("/api/v1/events", &publish(&mild)).await.unwrap();
    receiver.wait_with_timeout(1, Duration::from_mins(1)).await;
    let late = milliseconds(began);
    vec![
        Row::new(
            format!("Matching one event against the worst {SUBSCRIPTIONS} subscriptions of a tenant"),
            format!("{one:.1} ms"),
            "under 50 ms",
            one < 50.0,
        ),
        Row::new(
            format!("Another tenant's delivery behind {EVENTS} such events, published at once"),
            format!("{late:.0} ms"),
            "under 1 s",
            late < 1000.0,
        ),
    ]
}
