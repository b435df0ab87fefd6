//! A tenant with data for every page of the portal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use chrono::Duration;
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::{World, docker_hub_push, id};
use sam_local::{Data, Time};
use serde_json::{Value, json};
use stella::clock::{Clock as _, SystemClock};

use crate::chromium::Chromium;

/// A receiver whose answer can be changed.
pub struct SwitchableReceiver {
    /// The receiver itself.
    pub receiver: Receiver,
    status: Arc<AtomicU16>,
}

impl SwitchableReceiver {
    /// Starts a receiver that answers with this status.
    pub async fn answering(status: u16) -> Self {
        let status = Arc::new(AtomicU16::new(status));
        let current = Arc::clone(&status);
        let receiver = Receiver::start(move |_, _| Reply::from(current.load(Ordering::Relaxed))).await;
        Self { receiver, status }
    }

    /// From now on answers with this status.
    pub fn set_status(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }
}

/// A system after a day with pushes and events in each hour, and a receiver that was down for three hours.
pub async fn after_a_day() -> World {
    let start = SystemClock.now() - Duration::hours(23);
    let world = World::of(Data::Memory, Time::manual(start)).await;
    let (archive, chat) = (Receiver::accepting().await, SwitchableReceiver::answering(200).await);
    for (name, url) in [("archive", &archive.url), ("chat", &chat.receiver.url)] {
        let body = json!({"name": name, "url": url, "events": ["deployment.*"], "authType": "bearer", "credential": "t"});
        world.subscription(&body).await;
    }
    world.component(&["myorg/billing"]).await;
    let config = world.docker_hub().await;
    let mut published = 0;
    for hour in 0..23_usize {
        chat.set_status(if (9..12).contains(&hour) { 503 } else { 200 });
        for number in 0..3 + hour * 5 % 7 {
            let push = docker_hub_push(&format!("1.{hour}.{number}"), 1).replace("myapp", "billing");
            world.push(&config, &[], &push).await;
        }
        for _ in 0..2 + hour * 3 % 5 {
            world.publish("deployment.completed").await;
            published += 1;
        }
        archive.wait_for(published).await;
        for _ in 0..12 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            world.time.advance(Duration::minutes(5));
        }
    }
    world
}

/// The ids of a tenant's resources.
pub struct Fixture {
    pub component: String,
    pub config: String,
    pub receipt: String,
    pub subscription: String,
    pub delivered: String,
    pub failed: String,
    pub event: String,
}

impl Fixture {
    /// Creates them, and waits until the deliveries have ended.
    pub async fn create(world: &World) -> Self {
        let (good, bad) = (Receiver::accepting().await, SwitchableReceiver::answering(503).await);
        let component = world.component(&["myorg/myapp", "ghcr.io/myorg/myapp"]).await;
        world.trigger(&component, &json!({"name": "every stable release", "on": "artifact.pushed"})).await;
        let config = world.docker_hub().await;
        let subscribe = async |name: &str, url: &str, auth: &str, events: &[&str]| {
            let body = json!({"name": name, "url": url, "events": events, "authType": auth,
                "filters": [{"field": "event", "operator": "exists", "value": true}],
                "retryPolicy": {"maxRetries": 1, "backoffType": "fixed", "backoffSeconds": 1}});
            world.subscription(&body).await
        };
        let delivered = subscribe("deploy bot", &good.url, "signature", &["release.*", "deployment.*"]).await;
        let failed = subscribe("status page", &bad.receiver.url, "none", &["deployment.completed"]).await;
        let mut receipt = Value::Null;
        for (tag, pushed_at) in [("1.4.0", 1), ("1.4.1", 2), ("1.5.0-rc.1", 3), ("1.4.1", 4), ("1.4.1", 4)] {
            receipt = world.push(&config, &[], &docker_hub_push(tag, pushed_at)).await.body;
        }
        world.publish("deployment.completed").await;
        let ended = |rows: &[Value]| {
            !rows.is_empty()
                && rows.iter().all(|row| row["status"] == "delivered" || row["status"] == "failed")
        };
        let mut rows = [Vec::new(), Vec::new()];
        for (subscription, found) in [&delivered, &failed].into_iter().zip(&mut rows) {
            let path = format!("/api/v1/webhook-subscriptions/{}/deliveries", id(subscription));
            for _ in 0..300 {
                *found = world.get(&path).await["data"].as_array().cloned().unwrap_or_default();
                if ended(found) {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                world.time.advance(Duration::milliseconds(100));
            }
            assert!(ended(found), "{found:#?}");
        }
        Self {
            component,
            config: id(&config),
            receipt: receipt["receiptId"].as_str().unwrap().to_owned(),
            event: rows[0][0]["eventId"].as_str().unwrap().to_owned(),
            delivered: id(&rows[0][0]),
            failed: id(&rows[1][0]),
            subscription: id(&delivered),
        }
    }

    /// Every page: a name for its screenshot, and its address.
    pub fn pages(&self) -> Vec<(&'static str, String)> {
        let Self { component, config, receipt, subscription, delivered, failed, event, .. } = self;
        vec![
            ("overview", "overview".to_owned()),
            ("deliveries", "deliveries".to_owned()),
            ("delivery-failed", format!("deliveries/{failed}")),
            ("delivery", format!("deliveries/{delivered}")),
            ("subscriptions", "subscriptions".to_owned()),
            ("subscription", format!("subscriptions/{subscription}")),
            ("subscription-new", "subscriptions/new".to_owned()),
            ("subscription-edit", format!("subscriptions/{subscription}/edit")),
            ("inbound", "inbound".to_owned()),
            ("inbound-config", format!("inbound/{config}")),
            ("inbound-new", "inbound/new".to_owned()),
            ("inbound-edit", format!("inbound/{config}/edit")),
            ("sender", "inbound/senders/gar".to_owned()),
            ("receipt", format!("inbound/{config}/receipts/{receipt}")),
            ("components", "components".to_owned()),
            ("component", format!("components/{component}")),
            ("component-new", "components/new".to_owned()),
            ("events", "events".to_owned()),
            ("event", format!("events/{event}")),
            ("event-publish", "events/publish".to_owned()),
            ("settings", "settings".to_owned()),
        ]
    }
}

/// Opens a window and signs in as an admin.
pub async fn signed_in(world: &World, width: u32, height: u32) -> Chromium {
    let chromium = Chromium::open(width, height).await;
    let link = world.post("/api/v1/portal-links", &json!({})).await;
    chromium.visit(link.data()["url"].as_str().unwrap()).await;
    chromium
}

/// The URL of a page.
pub fn at(world: &World, page: &str) -> String {
    format!("{}/portal#/{page}", world.stack.url())
}
