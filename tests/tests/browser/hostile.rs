//! HTML in names, headers and bodies from outside is shown as text.

use end_to_end::receiver::{Receiver, Reply};
use end_to_end::{World, docker_hub_push, id};
use serde_json::json;

use crate::fixture::{at, signed_in};

/// If it were interpreted, it would add elements and set `window.hacked`.
const HTML: &str = "</code><img src=x onerror=\"window.hacked=1\"><script>window.hacked=2</script>{{7*7}}";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: make browser"]
async fn html_in_names_headers_and_bodies_is_shown_as_text() {
    let world = World::start().await;
    let receiver = Receiver::start(|_, _| Reply { body: HTML.to_owned(), ..Reply::from(400) }).await;
    let component =
        world.create("/api/v1/components", &json!({"name": HTML, "repositories": ["myorg/myapp"]})).await;
    let component = id(&component);
    world.trigger(&component, &json!({"name": HTML, "on": "artifact.pushed"})).await;
    let config = json!({"name": HTML, "type": "registry-push", "provider": "dockerhub"});
    let config = world.config(&config).await;
    let subscription = json!({"name": HTML, "url": receiver.url, "events": ["*"], "authType": "none",
        "headers": {"X-Note": HTML}, "filters": [{"field": "event", "operator": "notEquals", "value": HTML}]});
    let subscription = world.subscription(&subscription).await;
    let push =
        docker_hub_push("v1", 1).replace("\"pusher\"", &format!("\"note\":{},\"pusher\"", json!(HTML)));
    let pushed = world.push(&config, &[("x-note", HTML)], &push).await;
    assert_eq!(pushed.body["triggersActivated"], 1, "{}", pushed.body);
    let receipt = pushed.body["receiptId"].as_str().unwrap().to_owned();
    receiver.wait_for(1).await;
    let path = format!("/api/v1/webhook-subscriptions/{}/deliveries", id(&subscription));
    let mut delivery = String::new();
    for _ in 0..100 {
        if let Some(row) = world.get(&path).await["data"].get(0) {
            delivery = id(row);
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let event = world.get("/api/v1/events").await["data"][0]["id"].as_str().unwrap().to_owned();

    let chromium = signed_in(&world, 1280, 900).await;
    let (config, subscription) = (id(&config), id(&subscription));
    let pages = [
        "components".to_owned(),
        format!("components/{component}"),
        "inbound".to_owned(),
        format!("inbound/{config}"),
        format!("inbound/{config}/receipts/{receipt}"),
        "subscriptions".to_owned(),
        format!("subscriptions/{subscription}"),
        format!("subscriptions/{subscription}/edit"),
        "deliveries".to_owned(),
        format!("deliveries/{delivery}"),
        format!("events/{event}"),
    ];
    for page in pages {
        chromium.visit(&at(&world, &page)).await;
        let shown = "return document.documentElement.textContent.includes('window.hacked') || \
            [...document.querySelectorAll('input, textarea')].some((one) => one.value.includes('window.hacked'))";
        assert_eq!(chromium.run(shown).await, true, "{page} shows the text");
        let made =
            "return [window.hacked ?? null, document.querySelectorAll('main img, main script').length]";
        assert_eq!(chromium.run(made).await, json!([null, 0]), "{page}");
        assert_eq!(chromium.console_errors().await, Vec::<String>::new(), "{page}");
    }
    chromium.close().await;
}
