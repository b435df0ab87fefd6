//! Signing in and out, sessions in several tabs, and what a role or a key permits.

use end_to_end::World;
use serde_json::json;

use crate::chromium::Chromium;
use crate::fixture::{at, signed_in};

async fn link(caller: &stella_local::client::Client) -> String {
    let made = caller.post("/api/v1/portal-links", &json!({})).await.unwrap();
    made.data()["url"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: make browser"]
async fn a_user_signs_in_with_a_key_and_out_again() {
    let world = World::start().await;
    let chromium = Chromium::open(1280, 900).await;
    chromium.visit(&at(&world, "subscriptions")).await;
    chromium.fill("API key", "stk_0").await;
    chromium.click("Sign in").await;
    chromium.sees("This key is not valid").await;
    chromium.fill("API key", &world.key).await;
    chromium.click("Sign in").await;
    chromium.sees("No subscriptions yet").await;
    chromium.click("Sign out").await;
    chromium.sees("API key").await;
    chromium.fill("API key", &world.operator_key).await;
    chromium.click("Sign in").await;
    chromium.sees("Dead letters").await;
    chromium.click("New tenant").await;
    chromium.fill("Name", "acme").await;
    chromium.click("Create tenant").await;
    chromium.sees("acme").await;
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: make browser"]
async fn a_portal_link_works_in_an_open_tab_and_a_used_one_keeps_the_session() {
    let world = World::start().await;
    let chromium = Chromium::open(1280, 900).await;
    chromium.visit(&at(&world, "overview")).await;
    chromium.sees("API key").await;
    let first = link(&world.admin).await;
    chromium.visit(&first).await;
    chromium.sees("No activity yet").await;
    chromium.visit(&first).await;
    chromium.sees("This link was used before").await;
    chromium.sees("No activity yet").await;
    assert_eq!(chromium.run("return location.hash.includes('link=')").await, false);
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: make browser"]
async fn a_tab_does_not_act_in_a_session_that_another_tab_opened() {
    let world = World::start().await;
    let stranger = world.stranger().await;
    let chromium = signed_in(&world, 1280, 900).await;
    chromium.visit(&at(&world, "components/new")).await;
    chromium.fill("Name", "ours").await;
    let theirs = link(&stranger).await;
    let text = theirs.split_once("#link=").unwrap().1;
    let elsewhere = format!(
        "const done = arguments[0]; fetch('/api/v1/portal-session', {{method: 'POST', headers: \
         {{'content-type': 'application/json'}}, body: JSON.stringify({{link: '{text}'}})}}).then((answer) => done(answer.status));"
    );
    assert_eq!(chromium.run_until_done(&elsewhere).await, 201);
    chromium.click("Create").await;
    chromium.sees("Another tab signed in").await;
    for caller in [&stranger, &world.admin] {
        assert_eq!(caller.get("/api/v1/components").await.unwrap().body["data"], json!([]));
    }
    chromium.click("Continue with the new session").await;
    chromium.sees("New component").await;
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: make browser"]
async fn a_field_error_does_not_swallow_the_next_click_and_a_viewer_sees_which_role_is_missing() {
    let world = World::start().await;
    let chromium = signed_in(&world, 1280, 900).await;
    chromium.visit(&at(&world, "components/new")).await;
    chromium.press("Create").await;
    chromium.sees("Required.").await;
    chromium.fill("Name", "billing").await;
    chromium.press("Create").await;
    chromium.sees("No triggers yet").await;

    let key = world.post("/api/v1/api-keys", &json!({"name": "v", "role": "viewer"})).await;
    let viewer = world.admin.with_key(key.data()["key"].as_str().unwrap());
    chromium.visit(&link(&viewer).await).await;
    chromium.visit(&at(&world, "components/new")).await;
    chromium.sees("This page requires the role admin; yours is viewer.").await;
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: make browser"]
async fn with_over_a_hundred_subscriptions_the_delivery_log_asks_for_one() {
    let world = World::start().await;
    for number in 0..101 {
        let body = json!({"name": format!("s{number}"), "url": "http://127.0.0.1:9/", "events": ["*"], "authType": "none"});
        world.subscription(&body).await;
    }
    let chromium = signed_in(&world, 1280, 900).await;
    chromium.visit(&at(&world, "deliveries")).await;
    chromium.sees("Choose a subscription").await;
    chromium.choose("Subscription", "s7").await;
    chromium.click("Filter").await;
    chromium.sees("No deliveries match the filter").await;
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: make browser"]
async fn revoking_the_key_of_the_session_warns_and_then_signs_out() {
    let world = World::start().await;
    let chromium = signed_in(&world, 1280, 900).await;
    chromium.visit(&at(&world, "settings")).await;
    chromium.click("Revoke").await;
    chromium.sees("This session is one of them").await;
    chromium.sees("It is the last admin key").await;
    chromium.click("Cancel").await;
    chromium.click("Revoke").await;
    chromium.click_last("Revoke").await;
    chromium.sees("API key").await;
    chromium.sees("Sign in").await;
    chromium.close().await;
}
