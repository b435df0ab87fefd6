//! The first steps of a new user: from the first component to a failed delivery that is redelivered.

use end_to_end::{World, docker_hub_push};
use serde_json::Value;

use crate::fixture::{SwitchableReceiver, signed_in};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: make browser"]
async fn a_new_user_sets_up_a_push_and_redelivers_a_failed_delivery() {
    let world = World::start().await;
    let switchable = SwitchableReceiver::answering(500).await;
    let chromium = signed_in(&world, 1280, 900).await;
    chromium.sees("No activity yet").await;

    chromium.click("Create a component").await;
    chromium.fill("Name", "checkout").await;
    chromium.fill("Repositories", "myorg/myapp").await;
    chromium.click("Create").await;
    chromium.sees("No triggers yet").await;
    chromium.click("New trigger").await;
    chromium.fill("Name", "every push").await;
    chromium.click("Create").await;
    chromium.sees("every push").await;

    chromium.click("Inbound").await;
    chromium.click("New inbound webhook").await;
    chromium.choose("Sender", "Docker Hub").await;
    chromium.fill("Name", "docker hub").await;
    chromium.click("Create").await;
    chromium.sees("Paste this into the sender").await;
    let address = chromium.run("return document.querySelector('dialog .copyable code').textContent").await;
    let address = address.as_str().unwrap().to_owned();
    chromium.click("×").await;
    chromium.sees("On Docker Hub open the repository").await;

    chromium.click("Subscriptions").await;
    chromium.click("New subscription").await;
    chromium.fill("Name", "deploy bot").await;
    chromium.fill("Endpoint URL", "hooks.example.com").await;
    chromium.click("Create").await;
    chromium.sees("Not a URL").await;
    chromium.fill("Endpoint URL", &switchable.receiver.url).await;
    chromium.tick("release.created").await;
    chromium.click("Test with a sample event").await;
    chromium.choose("Event", "release.created").await;
    chromium.click("Run test").await;
    chromium.sees("This event would be delivered.").await;
    chromium.click("Retry policy").await;
    chromium.fill("Retries", "2").await;
    chromium.sees("Attempts: immediately, then about 10 s, 30 s after the first.").await;
    chromium.fill("Retries", "0").await;
    chromium.sees("One attempt, no retries.").await;
    chromium.click("Create").await;
    chromium.sees("Deliveries are signed with it.").await;
    chromium.sees("whsec_").await;
    chromium.click("×").await;

    chromium.click("Deliveries").await;
    chromium.sees("No deliveries yet").await;
    let pushed = world.push_to(&address, &[], &docker_hub_push("v1.0.0", 1)).await;
    assert_eq!(pushed.body["triggersActivated"], 1, "{}", pushed.body);
    // The page refreshes by itself.
    chromium.sees("Server error: 500").await;
    chromium.click("release.created").await;
    chromium.sees("The last attempt failed: Server error: 500").await;
    switchable.set_status(200);
    chromium.click("Redeliver").await;
    chromium.sees("Redelivery 1").await;
    chromium.sees("Status 200").await;

    let received = switchable.receiver.wait_for(2).await;
    let ids: Vec<&str> = received.iter().map(|request| request.header("x-stella-delivery")).collect();
    assert_eq!(ids[0], ids[1], "a redelivery keeps the id");
    let errors = chromium.console_errors().await;
    let unexpected: Vec<&String> = errors.iter().filter(|text| !text.contains("401")).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    assert_ne!(chromium.run("return document.title").await, Value::Null);
    chromium.close().await;
}
