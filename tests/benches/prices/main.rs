//! What a million deliveries and a million releases cost on AWS: the counted calls of this code, times the
//! list prices. Prints two tables and writes them to `docs/operations.md`.

mod items;

use std::collections::BTreeMap;

use end_to_end::bill::Bill;
use end_to_end::load::{Load, LoadReport, deliver};
use end_to_end::no_op::NoOp;
use end_to_end::{World, digest, harbor_push, tables};
use items::{Items, table};
use serde_json::json;
use stella_local::Functions;

/// Three subscriptions to each event, bodies of 2 KB, and one failing attempt in twenty.
const LOAD: Load = Load { fan_out: 3, failing: Some(20), more_bytes: 1_500 };

/// The number of releases that are made to count the cost of one.
const RELEASES: u64 = 200;

/// The memory of the functions, in GB.
const SMALL_GB: f64 = 0.25;
const INBOUND_GB: f64 = 0.5;

/// Assumed durations of invocations on AWS, in seconds, which cannot be measured here. A receiver takes 0.1
/// s.
const DELIVER_SECONDS: f64 = 0.15;
const FANOUT_SECONDS: f64 = 0.1;
const HTTP_SECONDS: f64 = 0.02;

/// The size of the metric line of a batch and of a push, with what Lambda adds to it, in GB.
const BATCH_LINE_GB: f64 = 0.8e-6;
const PUSH_LINE_GB: f64 = 0.4e-6;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let deliveries = table(&delivery_bill(&deliver(&LOAD).await), 2.80);
        println!("A million deliveries\n\n{deliveries}");
        tables::write("operations.md", "a million deliveries", &deliveries);
        let releases = table(&release_bill(&releases().await), 9.0);
        println!("A million pushes that create a release\n\n{releases}");
        tables::write("operations.md", "a million releases", &releases);
    });
}

/// The bill of a million deliveries, including the publishing of their events.
fn delivery_bill(report: &LoadReport) -> Items {
    let mut items = Items::of(report.deliveries);
    let (publishing, delivering) = (&report.publishing, &report.delivering);
    items.gateway("posts", publishing.sum(&["ApiFunction"]));
    items.written("events, written once", publishing.written);
    items.written("fan-out marks", report.marks);
    items.written("rows of deliveries and their attempts", delivering.written - report.marks);
    items.read("reads", publishing.read + delivering.read);
    items.sqs(delivering.sum(&["SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch"]));
    let lanes = delivering.sum(&["DeliverFunction", "RetryFunction"]);
    items.lambda("posts", publishing.sum(&["ApiFunction"]), HTTP_SECONDS * SMALL_GB);
    items.lambda("fan-out", delivering.sum(&["FanoutFunction"]), FANOUT_SECONDS * SMALL_GB);
    items.lambda("lanes", lanes, DELIVER_SECONDS * SMALL_GB);
    items.logs(lanes * BATCH_LINE_GB);
    items
}

/// Counts the cost of pushes that each create a release.
async fn releases() -> Bill {
    let world = World::metered(Functions::ours().with("fanout", |_| async { Ok(NoOp) })).await;
    let component = world.component(&["myorg/myapp"]).await;
    world.trigger(&component, &json!({"name": "all", "on": "artifact.pushed"})).await;
    let body = json!({"name": "h", "type": "registry-push", "provider": "harbor", "secret": "s"});
    let config = world.config(&body).await;
    let push = async |number: u64| {
        let body = harbor_push(&format!("v1.0.{number}"), &digest('a'), 1_704_067_200);
        let answer = world.push(&config, &[("authorization", "s")], &body).await;
        assert_eq!(answer.body["triggersActivated"], 1, "{}", answer.body);
    };
    push(0).await;
    let before = Bill::now(&world);
    for number in 1..=RELEASES {
        push(number).await;
    }
    Bill::now(&world).since(&before)
}

/// The bill of a million pushes that each create a release.
fn release_bill(bill: &Bill) -> Items {
    let mut items = Items::of(RELEASES);
    let pushes = bill.sum(&["InboundFunction"]);
    items.gateway("pushes", pushes);
    let kinds = "receipt; version, release, event, de-duplication in a transaction";
    items.written(kinds, bill.written);
    items.read("config, component and version", bill.read);
    items.lambda("pushes", pushes, HTTP_SECONDS * INBOUND_GB);
    items.logs(pushes * PUSH_LINE_GB);
    let known: BTreeMap<_, _> = bill.calls.iter().filter(|(name, _)| name.starts_with("Send")).collect();
    assert!(known.is_empty(), "a push queues nothing: {known:?}");
    items
}
