//! What a million deliveries and a million releases cost on AWS: the counted calls of this very code, times the
//! prices below. Prints two tables and writes them to `docs/operations.md`.

mod items;

use std::collections::BTreeMap;

use end_to_end::bill::Bill;
use end_to_end::load::{Load, LoadReport, deliver};
use end_to_end::no_op::NoOp;
use end_to_end::{World, digest, harbor_push, tables};
use items::{Items, table};
use serde_json::json;
use stella_local::stack::Functions;

/// At so many subscriptions to each event, 2 KB of body, and one attempt in twenty failing.
const LOAD: Load = Load { fan_out: 3, failing: Some(20), more_bytes: 1_500 };

/// How many releases are made to count what one costs.
const RELEASES: u64 = 200;

/// What the deployment gives a function, in GB.
const SMALL_GB: f64 = 0.25;
const INBOUND_GB: f64 = 0.5;

/// How long invocations take on AWS, in seconds; nothing on one machine tells. An attempt takes a receiver 0.1 s.
const DELIVER_SECONDS: f64 = 0.15;
const FANOUT_SECONDS: f64 = 0.1;
const HTTP_SECONDS: f64 = 0.02;

/// A line of metrics of a batch and of a push, with what Lambda adds to it, in GB.
const BATCH_LINE_GB: f64 = 0.8e-6;
const PUSH_LINE_GB: f64 = 0.4e-6;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let deliveries = table(&of_deliveries(&deliver(&LOAD).await), 2.80);
        println!("A million deliveries\n\n{deliveries}");
        tables::write("operations.md", "a million deliveries", &deliveries);
        let releases = table(&of_releases(&releases().await), 9.0);
        println!("A million pushes that create a release\n\n{releases}");
        tables::write("operations.md", "a million releases", &releases);
    });
}

/// The bill of a million deliveries, their events' publishing included.
fn of_deliveries(taken: &LoadReport) -> Items {
    let mut items = Items::of(taken.deliveries);
    let (publishing, delivering) = (&taken.publishing, &taken.delivering);
    items.gateway("posts", publishing.sum(&["ApiFunction"]));
    items.written("events, written once", publishing.written);
    items.written("marks that they are fanned out", taken.marks);
    items.written("rows of deliveries and their attempts", delivering.written - taken.marks);
    items.read("reads", publishing.read + delivering.read);
    items.sqs(delivering.sum(&["SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch"]));
    let lanes = delivering.sum(&["DeliverFunction", "RetryFunction"]);
    items.lambda("posts", publishing.sum(&["ApiFunction"]), HTTP_SECONDS * SMALL_GB);
    items.lambda("fan-out", delivering.sum(&["FanoutFunction"]), FANOUT_SECONDS * SMALL_GB);
    items.lambda("lanes", lanes, DELIVER_SECONDS * SMALL_GB);
    items.logs(lanes * BATCH_LINE_GB);
    items
}

/// What pushes cost that each create a release.
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

fn of_releases(bill: &Bill) -> Items {
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
