//! The portal's API: links, sessions, protection against forged requests, and the data of the overview page.

use chrono::Duration;
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::{World, docker_hub_push, id};
use http::{Method, StatusCode};
use sam_local::{Data, Time};
use serde_json::{Value, json};
use stella::clock::{Clock as _, SystemClock};
use stella_local::client::{Answer, Client};

/// A browser with a session cookie and no API key.
struct Browser {
    client: Client,
    cookie: String,
    csrf: String,
}

impl Browser {
    /// Signs in with a link or a key.
    async fn sign_in(world: &World, credential: &Value) -> Self {
        let client = world.anonymous();
        let answer = client.post("/api/v1/portal-session", credential).await.unwrap();
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        let set = answer.headers["set-cookie"].to_str().unwrap();
        let cookie = set.split(';').next().unwrap().to_owned();
        let csrf = answer.data()["csrfToken"].as_str().unwrap().to_owned();
        Self { client, cookie, csrf }
    }

    async fn ask(&self, method: Method, path: &str, csrf: Option<&str>) -> Answer {
        let mut headers = vec![("cookie", self.cookie.as_str()), ("content-type", "application/json")];
        headers.extend(csrf.map(|token| ("x-csrf-token", token)));
        self.client.send(method, &format!("/api/v1{path}"), &headers, "{}".into()).await.unwrap()
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }
}

/// Creates a portal link; the part after `#link=`.
async fn link(caller: &Client, body: &Value) -> String {
    let made = caller.post("/api/v1/portal-links", body).await.unwrap();
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let url = made.data()["url"].as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    url.split_once("/portal#link=").unwrap().1.to_owned()
}

#[tokio::test]
async fn a_portal_link_works_once_and_not_after_it_expires() {
    let world = World::with_manual_clock().await;
    let first = link(&world.admin, &json!({})).await;
    Browser::sign_in(&world, &json!({"link": first})).await;
    let old = link(&world.admin, &json!({"ttlSeconds": 60})).await;
    world.time.advance(Duration::seconds(60));
    for text in [first.as_str(), old.as_str(), "stl_0", ""] {
        let answer = world.anonymous().post("/api/v1/portal-session", &json!({"link": text})).await.unwrap();
        let expected =
            if text.is_empty() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::UNAUTHORIZED };
        assert_eq!(answer.status, expected, "{text}: {}", answer.body);
    }
}

#[tokio::test]
async fn of_concurrent_uses_of_a_portal_link_exactly_one_signs_in() {
    let world = World::with_manual_clock().await;
    let proof = json!({"link": link(&world.admin, &json!({})).await});
    let tries = (0..10).map(|_| async { world.anonymous().post("/api/v1/portal-session", &proof).await });
    let answers = futures_util::future::join_all(tries).await;
    let opened = answers.iter().flatten().filter(|answer| answer.status == StatusCode::CREATED);
    assert_eq!(opened.count(), 1);
}

#[tokio::test]
async fn the_session_cookie_is_http_only_and_same_site_strict() {
    let world = World::with_manual_clock().await;
    let answer = world.anonymous().post("/api/v1/portal-session", &json!({"key": world.key})).await.unwrap();
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    for flag in ["HttpOnly", "SameSite=Strict", "Path=/api/v1", "Max-Age=43200"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    assert_eq!(answer.data()["role"], "admin");
    assert_eq!(answer.data()["tenant"]["name"], "default");
}

#[tokio::test]
async fn a_session_reads_with_its_cookie_and_writes_only_with_its_csrf_token() {
    let world = World::with_manual_clock().await;
    let browser = Browser::sign_in(&world, &json!({"key": world.key})).await;
    assert_eq!(browser.get("/portal-session").await.data()["csrfToken"], json!(browser.csrf));
    assert_eq!(browser.get("/webhook-subscriptions").await.status, StatusCode::OK);
    let other = Browser::sign_in(&world, &json!({"key": world.key})).await;
    for token in [None, Some(""), Some("x"), Some(other.csrf.as_str())] {
        for (method, path) in [(Method::POST, "/portal-links"), (Method::DELETE, "/portal-session")] {
            let answer = browser.ask(method, path, token).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {token:?}");
            assert_eq!(answer.body["code"], "csrf_token");
        }
    }
    // A page of one session does not read with the cookie of another.
    assert_eq!(browser.ask(Method::GET, "/events", Some(&other.csrf)).await.body["code"], "csrf_token");
    assert_eq!(browser.ask(Method::GET, "/events", Some(&browser.csrf)).await.status, StatusCode::OK);
    let made = browser.ask(Method::POST, "/portal-links", Some(&browser.csrf)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
}

#[tokio::test]
async fn a_session_has_the_role_and_tenant_of_the_key_that_created_its_link() {
    let world = World::with_manual_clock().await;
    let made = world.post("/api/v1/api-keys", &json!({"name": "v", "role": "viewer"})).await;
    let viewer = world.admin.with_key(made.data()["key"].as_str().unwrap());
    let browser = Browser::sign_in(&world, &json!({"link": link(&viewer, &json!({})).await})).await;
    assert_eq!(browser.get("/portal-session").await.data()["role"], "viewer");
    assert_eq!(browser.get("/api-keys").await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.get("/tenants").await.status, StatusCode::FORBIDDEN);
    let config = id(&world.docker_hub().await);
    assert_eq!(browser.get(&format!("/webhook-configs/{config}")).await.status, StatusCode::OK);
    let stranger = world.stranger().await;
    let foreign = Browser::sign_in(&world, &json!({"link": link(&stranger, &json!({})).await})).await;
    assert_eq!(foreign.get(&format!("/webhook-configs/{config}")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_session_ends_on_sign_out_on_expiry_and_when_its_key_is_revoked() {
    let world = World::with_manual_clock().await;
    let browser = Browser::sign_in(&world, &json!({"key": world.key})).await;
    let out = browser.ask(Method::DELETE, "/portal-session", Some(&browser.csrf)).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(browser.get("/portal-session").await.status, StatusCode::UNAUTHORIZED);

    let made = world.post("/api/v1/api-keys", &json!({"name": "k", "role": "admin"})).await;
    let key = made.data()["key"].as_str().unwrap();
    let linked = link(&world.admin.with_key(key), &json!({})).await;
    let (by_key, by_link) = (
        Browser::sign_in(&world, &json!({"key": key})).await,
        Browser::sign_in(&world, &json!({"link": linked})).await,
    );
    let late = Browser::sign_in(&world, &json!({"key": world.key})).await;
    assert_eq!(by_link.get("/events").await.status, StatusCode::OK);
    let revoke = format!("/api/v1/api-keys/{}", id(made.data()));
    world.admin.send(Method::DELETE, &revoke, &[], "".into()).await.unwrap();
    world.time.advance(Duration::seconds(31));
    for ended in [&by_key, &by_link] {
        assert_eq!(ended.get("/events").await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(late.get("/events").await.status, StatusCode::OK);
    world.time.advance(Duration::hours(12));
    assert_eq!(late.get("/events").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_operators_session_lists_tenants_and_reads_no_tenant_data() {
    let world = World::with_manual_clock().await;
    let key = world.operator_key.clone();
    let operator = Browser::sign_in(&world, &json!({"key": key})).await;
    let session = operator.get("/portal-session").await;
    assert_eq!((&session.data()["role"], &session.data()["tenant"]), (&json!("operator"), &Value::Null));
    assert_eq!(operator.get("/tenants").await.status, StatusCode::OK);
    assert_eq!(operator.get("/dead-letters").await.status, StatusCode::OK);
    assert_eq!(operator.get("/events").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn counters_are_flushed_when_the_stack_stops() {
    let folder = tempfile::tempdir().unwrap();
    let (data, time) = (Data::Folder(folder.path().to_owned()), Time::manual(SystemClock.now()));
    let world = World::of(data.clone(), time.clone()).await;
    let receiver = Receiver::accepting().await;
    let subscription = json!({"name": "s", "url": receiver.url, "events": ["release.created"]});
    let subscription = world.subscription(&subscription).await;
    for _ in 0..3 {
        world.publish("release.created").await;
    }
    world
        .deliveries(&subscription, |rows| rows.iter().filter(|row| row["status"] == "delivered").count() == 3)
        .await;
    world.stack.stop().await;
    let world = World::of(data, time).await;
    assert_eq!(world.get("/api/v1/overview").await["data"]["deliveries"]["delivered"], 3);
    let shown = world.get(&format!("/api/v1/webhook-subscriptions/{}", id(&subscription))).await;
    assert_eq!(shown["data"]["health"]["attempts"], 3, "{shown}");
}

/// Waits until `done` holds for the overview; the overview.
async fn overview(world: &World, done: impl Fn(&Value) -> bool) -> Value {
    world.eventually("/api/v1/overview", done).await
}

#[tokio::test]
async fn the_overview_counts_pushes_and_deliveries_and_lists_what_needs_attention() {
    let world = World::with_manual_clock().await;
    world.component(&["myorg/myapp"]).await;
    let config = world.docker_hub().await;
    let receiver = Receiver::accepting().await;
    let subscription =
        json!({"name": "taken", "url": receiver.url, "events": ["release.created"], "authType": "none"});
    world.subscription(&subscription).await;
    let refusing = Receiver::start(|_, _| Reply::from(500)).await;
    let failing = json!({"name": "refused", "url": refusing.url, "events": ["release.created"], "authType": "none",
        "retryPolicy": {"maxRetries": 0}});
    let failing = world.subscription(&failing).await;
    let component = id(&world.get("/api/v1/components").await["data"][0]);
    world.trigger(&component, &json!({"name": "all", "on": "artifact.pushed"})).await;
    world.push(&config, &[], &docker_hub_push("v1.0.0", 1)).await;
    world.push(&config, &[], &docker_hub_push("v1.0.0", 1)).await;
    world.deliveries(&failing, |rows| rows.iter().any(|row| row["status"] == "failed")).await;
    receiver.wait_for(1).await;

    // Counters are written at most every ten seconds.
    world.time.advance(Duration::seconds(11));
    let overview = overview(&world, |seen| seen["attempts"] == 2 && seen["pushes"]["duplicate"] == 1).await;
    assert_eq!(overview["deliveries"], json!({"delivered": 1, "retried": 0, "failed": 1}));
    assert_eq!(overview["pushes"], json!({"processed": 1, "duplicate": 1}));
    assert_eq!(overview["firstAttemptSuccessRate"], 0.5);
    assert_eq!(overview["hours"].as_array().unwrap().len(), 24);
    assert_eq!(overview["attention"][0]["kind"], "subscription_failing");
    assert_eq!(overview["attention"][0]["id"], failing["id"]);

    let all = world.get("/api/v1/deliveries").await;
    assert_eq!(all["data"].as_array().unwrap().len(), 2, "{all}");
    let failed = world.get("/api/v1/deliveries?status=failed").await;
    assert_eq!(failed["data"][0]["subscriptionId"], failing["id"]);
}

#[tokio::test]
async fn a_config_with_many_rejected_requests_needs_attention() {
    let world = World::with_manual_clock().await;
    let config = world.docker_hub().await;
    let (bare, _) = config["url"].as_str().unwrap().rsplit_once('/').unwrap();
    for _ in 0..10 {
        let refused = world.push_to(&format!("{bare}/wrong"), &[], "{}").await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    }
    world.time.advance(Duration::seconds(11));
    let overview = overview(&world, |seen| seen["attention"][0]["kind"] == "requests_rejected").await;
    assert_eq!(overview["attention"][0]["id"], config["id"]);
}

#[tokio::test]
async fn the_delivery_log_merges_at_most_a_hundred_subscriptions() {
    let world = World::with_manual_clock().await;
    let body =
        json!({"name": "s", "url": "http://127.0.0.1:9/", "events": ["release.created"], "authType": "none"});
    for _ in 0..100 {
        world.subscription(&body).await;
    }
    assert_eq!(world.admin.get("/api/v1/deliveries").await.unwrap().status, StatusCode::OK);
    world.subscription(&body).await;
    let refused = world.admin.get("/api/v1/deliveries").await.unwrap();
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::BAD_REQUEST, &json!("too_many_subscriptions"))
    );
}

#[tokio::test]
async fn a_preview_says_whether_a_subscription_would_match_an_event() {
    let world = World::with_manual_clock().await;
    let production = json!({"field": "data.environment.name", "operator": "equals", "value": "production"});
    let ask = async |environment: &str| {
        let body = json!({"events": ["deployment.*"], "filters": [production], "event": "deployment.completed",
            "data": {"environment": {"name": environment}}});
        world.post("/api/v1/webhook-subscriptions/preview", &body).await.data().clone()
    };
    assert_eq!(ask("production").await["matched"], true);
    let staging = ask("staging").await;
    assert_eq!((&staging["eventSelected"], &staging["filters"]), (&json!(true), &json!([false])));
}
