//! Authorization: every route of the API, called by every kind of caller; and the separation of tenants.

use std::collections::BTreeMap;

use chrono::Duration;
use end_to_end::receiver::Receiver;
use end_to_end::{World, docker_hub_push, id};
use http::{Method, StatusCode};
use sam_local::Settings;
use serde_json::{Value, json};
use stella_local::client::{Answer, Client};

/// The least privileged caller that a route permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Required {
    Nothing,
    Viewer,
    Publisher,
    Admin,
    Operator,
    SignedIn,
}

use Required::{Admin, Nothing, Operator, Publisher, SignedIn, Viewer};

/// The routes of a tenant. A route that is in none of these tables fails the test.
const TENANT_ROUTES: [(&str, Required); 58] = [
    ("GET /health", Nothing),
    ("GET /meta", Nothing),
    ("GET /senders", Viewer),
    ("GET /event-types", Viewer),
    ("GET /overview", Viewer),
    ("POST /portal-links", Viewer),
    ("GET /tenants", Operator),
    ("POST /tenants", Operator),
    ("POST /tenants/{id}/api-keys", Operator),
    ("GET /api-keys", Admin),
    ("POST /api-keys", Admin),
    ("DELETE /api-keys/{id}", Admin),
    ("GET /webhook-configs", Viewer),
    ("POST /webhook-configs", Admin),
    ("GET /webhook-configs/{id}", Viewer),
    ("PUT /webhook-configs/{id}", Admin),
    ("PATCH /webhook-configs/{id}", Admin),
    ("DELETE /webhook-configs/{id}", Admin),
    ("POST /webhook-configs/{id}/rotate-token", Admin),
    ("GET /webhook-configs/{id}/receipts", Viewer),
    ("GET /webhook-configs/{id}/receipts/{receipt}", Viewer),
    ("POST /webhook-configs/{id}/receipts/{receipt}/replay", Admin),
    ("POST /webhook-configs/{id}/preview", Admin),
    ("GET /components", Viewer),
    ("POST /components", Admin),
    ("GET /components/{id}", Viewer),
    ("PUT /components/{id}", Admin),
    ("PATCH /components/{id}", Admin),
    ("DELETE /components/{id}", Admin),
    ("GET /components/{id}/versions", Viewer),
    ("GET /components/{id}/triggers", Viewer),
    ("POST /components/{id}/triggers", Admin),
    ("GET /components/{id}/triggers/{trigger}", Viewer),
    ("PUT /components/{id}/triggers/{trigger}", Admin),
    ("PATCH /components/{id}/triggers/{trigger}", Admin),
    ("DELETE /components/{id}/triggers/{trigger}", Admin),
    ("GET /releases", Viewer),
    ("GET /releases/{id}", Viewer),
    ("GET /events", Viewer),
    ("POST /events", Publisher),
    ("GET /events/{id}", Viewer),
    ("GET /webhook-subscriptions", Viewer),
    ("POST /webhook-subscriptions", Admin),
    ("GET /webhook-subscriptions/{id}", Viewer),
    ("PUT /webhook-subscriptions/{id}", Admin),
    ("PATCH /webhook-subscriptions/{id}", Admin),
    ("DELETE /webhook-subscriptions/{id}", Admin),
    ("POST /webhook-subscriptions/{id}/rotate-secret", Admin),
    ("POST /webhook-subscriptions/{id}/test", Admin),
    ("GET /webhook-subscriptions/{id}/deliveries", Viewer),
    ("GET /deliveries", Viewer),
    ("GET /deliveries/{id}", Viewer),
    ("POST /webhook-subscriptions/preview", Viewer),
    ("POST /deliveries/{id}/redeliver", Admin),
    ("POST /webhook-subscriptions/{id}/recover", Admin),
    ("GET /recoveries/{id}", Viewer),
    ("GET /webhook-subscriptions/{id}/pull", Admin),
    ("POST /webhook-subscriptions/{id}/pull/{delivery}", Admin),
];

/// The operator's routes. They show no tenant's data.
const OPERATOR_ROUTES: [(&str, Required); 3] = [
    ("GET /dead-letters", Operator),
    ("POST /dead-letters/redrive", Operator),
    ("POST /master-key/rewrap", Operator),
];

/// The routes of a browser session, which need its cookie. (`portal.rs` tests how a key opens a session.)
const SESSION_ROUTES: [(&str, Required); 3] = [
    ("GET /portal-session", SignedIn),
    ("POST /portal-session", SignedIn),
    ("DELETE /portal-session", SignedIn),
];

fn required_roles() -> BTreeMap<&'static str, Required> {
    TENANT_ROUTES.into_iter().chain(OPERATOR_ROUTES).chain(SESSION_ROUTES).collect()
}

fn routes() -> Vec<(Method, &'static str, String)> {
    stella_api::routes()
        .into_iter()
        .map(|(method, path)| (method.clone(), path, format!("{method} {path}")))
        .collect()
}

/// Ids of one tenant's resources, by the first part of the routes that take them.
struct Ids(BTreeMap<&'static str, Vec<String>>);

impl Ids {
    async fn create(world: &World) -> Self {
        let receiver = Receiver::accepting().await;
        let component = world.component(&["myorg/myapp"]).await;
        let trigger = world.trigger(&component, &json!({"name": "all", "on": "artifact.pushed"})).await;
        let config = world.docker_hub().await;
        let subscription = json!({"name": "s", "url": receiver.url, "events": ["release.created"],
            "authType": "signature"});
        let subscription = world.subscription(&subscription).await;
        let push = world.push(&config, &[], &docker_hub_push("v1.0.0", 1)).await;
        let receipt = push.body["receiptId"].as_str().unwrap().to_owned();
        let received = receiver.wait_for(1).await;
        let delivery = received[0].header("x-stella-delivery").to_owned();
        let first = async |path: &str| id(&world.get(path).await["data"][0]);
        let (config, subscription) = (id(&config), id(&subscription));
        world
            .deliveries(&json!({"id": subscription}), |rows| rows.iter().any(|r| r["status"] == "delivered"))
            .await;
        let recover = format!("/api/v1/webhook-subscriptions/{subscription}/recover");
        let recovery = world.post(&recover, &json!({"from": "2026-01-01T00:00:00Z"})).await;
        let tenant = world.get("/api/v1/api-keys").await["data"][0]["tenantId"].as_str().unwrap().to_owned();
        Self(BTreeMap::from([
            ("/tenants", vec![tenant]),
            ("/api-keys", vec![first("/api/v1/api-keys").await]),
            ("/webhook-configs", vec![config, receipt]),
            ("/components", vec![component, trigger]),
            ("/releases", vec![first("/api/v1/releases").await]),
            ("/events", vec![first("/api/v1/events").await]),
            ("/webhook-subscriptions", vec![subscription, delivery.clone()]),
            ("/deliveries", vec![delivery]),
            ("/recoveries", vec![id(recovery.data())]),
        ]))
    }

    /// The path of a route, with its parameters replaced by these ids.
    fn path(&self, route: &str) -> String {
        let kind = self.0.iter().find(|(kind, _)| route.starts_with(**kind));
        let ids = kind.map(|(_, ids)| ids.as_slice()).unwrap_or_default();
        let mut ids = ids.iter();
        let parts = route.split('/').map(|part| {
            if part.starts_with('{') {
                ids.next().expect("an id for each parameter").clone()
            } else {
                part.to_owned()
            }
        });
        format!("/api/v1{}", parts.collect::<Vec<_>>().join("/"))
    }
}

async fn call(client: &Client, method: &Method, path: &str) -> Answer {
    let headers = [("content-type", "application/json")];
    client.send(method.clone(), path, &headers, "{}".into()).await.expect("an answer")
}

async fn key(world: &World, role: &str) -> (String, Client) {
    let made = world.post("/api/v1/api-keys", &json!({"name": role, "role": role})).await;
    (id(made.data()), world.admin.with_key(made.data()["key"].as_str().unwrap()))
}

#[tokio::test]
async fn every_route_refuses_callers_without_the_required_role() {
    let world = World::with_manual_clock().await;
    let ids = Ids::create(&world).await;
    let (_, viewer) = key(&world, "viewer").await;
    let (_, publisher) = key(&world, "publisher").await;
    let (revoked_id, revoked) = key(&world, "admin").await;
    assert_eq!(revoked.get("/api/v1/events").await.unwrap().status, StatusCode::OK);
    let gone = call(&world.admin, &Method::DELETE, &format!("/api/v1/api-keys/{revoked_id}")).await;
    assert_eq!(gone.status, StatusCode::OK);
    // A function caches a key for this long.
    world.time.advance(Duration::seconds(60));
    let anonymous = world.anonymous();
    let malformed = ["x", "stk_", "stk_operator_", "stk_0_0", "eyJhbGciOiJub25lIn0.e30."];
    let malformed = malformed.map(|text| world.admin.with_key(text));

    let required_roles = required_roles();
    let all = routes();
    assert_eq!(all.len(), required_roles.len(), "the table has every route, and nothing else");
    for (method, route, name) in all {
        let required =
            *required_roles.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not in the tables"));
        let path = ids.path(route);
        let status = async |client: &Client| call(client, &method, &path).await.status;
        if required == SignedIn {
            let proof = if method == Method::POST {
                StatusCode::UNPROCESSABLE_ENTITY
            } else {
                StatusCode::UNAUTHORIZED
            };
            for client in [&anonymous, &world.admin, &world.operator] {
                assert_eq!(status(client).await, proof, "{name}");
            }
            continue;
        }
        if required == Nothing {
            assert_eq!(status(&anonymous).await, StatusCode::OK, "{name}");
            continue;
        }
        let unknown = malformed.iter().chain([&anonymous, &revoked]);
        for client in unknown {
            let answer = call(client, &method, &path).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}");
            assert_eq!(answer.body["code"], "unauthenticated", "{name}");
        }
        for (client, role) in [(&viewer, Viewer), (&publisher, Publisher)] {
            // A permitted request may still fail: its body is empty.
            assert_eq!(status(client).await == StatusCode::FORBIDDEN, required > role, "{name} by {role:?}");
        }
        if required == Operator {
            assert_eq!(status(&world.admin).await, StatusCode::FORBIDDEN, "{name}");
        } else if method == Method::GET {
            assert_eq!(status(&world.operator).await, StatusCode::UNAUTHORIZED, "{name}: it has no tenant");
        }
    }
}

/// An unknown id of the same form.
fn unknown_id(id: &str) -> String {
    id.chars()
        .map(|c| if c == '-' { c } else { char::from_digit(c.to_digit(16).unwrap() ^ 1, 16).unwrap() })
        .collect()
}

/// The parts of an answer that do not depend on the request.
fn status_and_body(answer: &Answer) -> (StatusCode, Value) {
    (answer.status, answer.body.clone())
}

#[tokio::test]
async fn ids_of_another_tenant_are_answered_exactly_like_unknown_ids() {
    let world = World::with_manual_clock().await;
    let ids = Ids::create(&world).await;
    let stranger = world.stranger().await;
    let before = world.get("/api/v1/webhook-subscriptions").await;
    let mut tried = 0;
    for (method, route, name) in routes() {
        if !route.contains('{') || required_roles()[name.as_str()] == Operator {
            continue;
        }
        let path = ids.path(route);
        let known = call(&stranger, &method, &path).await;
        let mut unknown = ids.path(route);
        for id in ids.0.values().flatten() {
            unknown = unknown.replace(id.as_str(), &unknown_id(id));
        }
        let unknown = call(&stranger, &method, &unknown).await;
        assert_eq!(status_and_body(&known), status_and_body(&unknown), "{name}");
        assert_eq!(known.status, StatusCode::NOT_FOUND, "{name}: {}", known.body);
        tried += 1;
    }
    assert!(tried > 25, "{tried}");
    for list in ["components", "events", "releases", "webhook-configs", "webhook-subscriptions"] {
        let seen = stranger.get(&format!("/api/v1/{list}")).await.unwrap();
        assert_eq!(seen.body["data"], json!([]), "{list}");
    }
    assert_eq!(world.get("/api/v1/webhook-subscriptions").await, before, "nothing was changed");
}

#[tokio::test]
async fn a_key_over_its_rate_limit_is_answered_429_and_other_keys_are_not() {
    let parameters = [("KeyRateLimit".to_owned(), "5".to_owned())].into();
    let time = sam_local::Time::manual("2026-03-01T12:00:00Z".parse().unwrap());
    let world = World::made_of(Settings { parameters, time, ..stella_local::settings() }).await;
    let (_, viewer) = key(&world, "viewer").await;
    let mut answers = Vec::new();
    for _ in 0..12 {
        answers.push(viewer.get("/api/v1/events").await.unwrap());
    }
    let limited = answers.iter().filter(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(limited.clone().count(), 2, "two seconds' worth of 5 pass at once");
    assert!(limited.into_iter().all(|answer| answer.headers["retry-after"] == "1"));
    assert_eq!(world.admin.get("/api/v1/events").await.unwrap().status, StatusCode::OK);
    world.time.advance(Duration::seconds(1));
    assert_eq!(viewer.get("/api/v1/events").await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn another_tenant_sees_no_events_deliveries_subscriptions_or_components() {
    let world = World::start().await;
    let receiver = Receiver::accepting().await;
    let subscription = world.subscription(&json!({"name": "s", "url": receiver.url, "events": ["*"]})).await;
    let event = world.publish("release.created").await;
    let delivery = id(&world.deliveries(&subscription, |rows| rows.len() == 1).await[0]);
    let component = world.component(&["myorg/myapp"]).await;

    let stranger = world.stranger().await;
    let unknown = stranger.get("/api/v1/events/0192aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee").await.unwrap();
    for path in [
        format!("/api/v1/events/{event}"),
        format!("/api/v1/deliveries/{delivery}"),
        format!("/api/v1/components/{component}"),
        format!("/api/v1/components/{component}/versions"),
        format!("/api/v1/webhook-subscriptions/{}", id(&subscription)),
        format!("/api/v1/webhook-subscriptions/{}/deliveries", id(&subscription)),
    ] {
        let answer = stranger.get(&path).await.unwrap();
        assert_eq!((answer.status, &answer.body), (StatusCode::NOT_FOUND, &unknown.body), "{path}");
    }
    for path in ["/api/v1/events", "/api/v1/webhook-subscriptions", "/api/v1/components"] {
        assert_eq!(stranger.get(path).await.unwrap().body["pagination"]["total"], 0, "{path}");
    }
    let anonymous = world.anonymous();
    assert_eq!(anonymous.get("/api/v1/events").await.unwrap().status, StatusCode::UNAUTHORIZED);
}
