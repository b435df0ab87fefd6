//! Who may do what: every route of the API, for everybody who may come to its door.

use std::collections::BTreeMap;

use chrono::Duration;
use end_to_end::receiver::Receiver;
use end_to_end::{World, docker_hub_push, id};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use stella_local::client::{Answer, Client};
use stella_local::stack::Settings;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum May {
    Anybody,
    Viewer,
    Publisher,
    Admin,
    Operator,
    SignedIn,
}

use May::{Admin, Anybody, Operator, Publisher, SignedIn, Viewer};

/// What each route is for; a route that is not here fails the test.
const RIGHTS: [(&str, May); 57] = [
    ("GET /health", Anybody),
    ("GET /meta", Anybody),
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

/// The operator's, which have nothing of a tenant's in them.
const OF_THE_OPERATOR: [(&str, May); 3] = [
    ("GET /dead-letters", Operator),
    ("POST /dead-letters/redrive", Operator),
    ("POST /master-key/rewrap", Operator),
];

/// Those of a browser: a key opens none of them, but for the one that makes a session of it (`portal.rs`).
const OF_A_SESSION: [(&str, May); 3] = [
    ("GET /portal-session", SignedIn),
    ("POST /portal-session", SignedIn),
    ("DELETE /portal-session", SignedIn),
];

fn rights() -> BTreeMap<&'static str, May> {
    RIGHTS.into_iter().chain(OF_THE_OPERATOR).chain(OF_A_SESSION).collect()
}

fn routes() -> Vec<(Method, &'static str, String)> {
    stella_api::routes()
        .into_iter()
        .map(|(method, path)| (method.clone(), path, format!("{method} {path}")))
        .collect()
}

/// Things of one tenant, by the routes that have their ids.
struct Things(BTreeMap<&'static str, Vec<String>>);

impl Things {
    async fn of(world: &World) -> Self {
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

    /// A route's path with ids of these things in their places.
    fn path(&self, route: &str) -> String {
        let kind = self.0.iter().find(|(kind, _)| route.starts_with(**kind));
        let ids = kind.map(|(_, ids)| ids.as_slice()).unwrap_or_default();
        let mut ids = ids.iter();
        let parts = route.split('/').map(|part| {
            if part.starts_with('{') {
                ids.next().expect("an id for each place").clone()
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
    let things = Things::of(&world).await;
    let (_, viewer) = key(&world, "viewer").await;
    let (_, publisher) = key(&world, "publisher").await;
    let (revoked_id, revoked) = key(&world, "admin").await;
    assert_eq!(revoked.get("/api/v1/events").await.unwrap().status, StatusCode::OK);
    let gone = call(&world.admin, &Method::DELETE, &format!("/api/v1/api-keys/{revoked_id}")).await;
    assert_eq!(gone.status, StatusCode::OK);
    // A key that was revoked may be remembered for this long.
    world.time.advance(Duration::seconds(60));
    let nobody = world.nobody();
    let malformed = ["x", "stk_", "stk_operator_", "stk_0_0", "eyJhbGciOiJub25lIn0.e30."];
    let malformed = malformed.map(|text| world.admin.with_key(text));

    let rights = rights();
    let all = routes();
    assert_eq!(all.len(), rights.len(), "the table has every route, and nothing else");
    for (method, route, name) in all {
        let may = *rights.get(name.as_str()).unwrap_or_else(|| panic!("who may {name}?"));
        let path = things.path(route);
        let status = async |client: &Client| call(client, &method, &path).await.status;
        if may == SignedIn {
            let proof = if method == Method::POST {
                StatusCode::UNPROCESSABLE_ENTITY
            } else {
                StatusCode::UNAUTHORIZED
            };
            for client in [&nobody, &world.admin, &world.operator] {
                assert_eq!(status(client).await, proof, "{name}");
            }
            continue;
        }
        if may == Anybody {
            assert_eq!(status(&nobody).await, StatusCode::OK, "{name}");
            continue;
        }
        let unknown = malformed.iter().chain([&nobody, &revoked]);
        for client in unknown {
            let answer = call(client, &method, &path).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}");
            assert_eq!(answer.body["code"], "unauthenticated", "{name}");
        }
        for (client, role) in [(&viewer, Viewer), (&publisher, Publisher)] {
            // What it may, it need not be able to: the body is an empty one.
            assert_eq!(status(client).await == StatusCode::FORBIDDEN, may > role, "{name} by {role:?}");
        }
        if may == Operator {
            assert_eq!(status(&world.admin).await, StatusCode::FORBIDDEN, "{name}");
        } else if method == Method::GET {
            assert_eq!(status(&world.operator).await, StatusCode::UNAUTHORIZED, "{name}: it has no tenant");
        }
    }
}

/// An id of the same shape, which nobody has.
fn nobodys(id: &str) -> String {
    id.chars()
        .map(|c| if c == '-' { c } else { char::from_digit(c.to_digit(16).unwrap() ^ 1, 16).unwrap() })
        .collect()
}

/// An answer without what is of this one request.
fn told(answer: &Answer) -> (StatusCode, Value) {
    (answer.status, answer.body.clone())
}

#[tokio::test]
async fn ids_of_another_tenant_are_answered_exactly_like_unknown_ids() {
    let world = World::with_manual_clock().await;
    let things = Things::of(&world).await;
    let stranger = world.stranger().await;
    let before = world.get("/api/v1/webhook-subscriptions").await;
    let mut tried = 0;
    for (method, route, name) in routes() {
        if !route.contains('{') || rights()[name.as_str()] == Operator {
            continue;
        }
        let path = things.path(route);
        let known = call(&stranger, &method, &path).await;
        let mut unknown = things.path(route);
        for id in things.0.values().flatten() {
            unknown = unknown.replace(id.as_str(), &nobodys(id));
        }
        // The same shape, and nobody's.
        let unknown = call(&stranger, &method, &unknown).await;
        assert_eq!(told(&known), told(&unknown), "{name}");
        assert_eq!(known.status, StatusCode::NOT_FOUND, "{name}: {}", known.body);
        tried += 1;
    }
    assert!(tried > 25, "{tried}");
    for list in ["components", "events", "releases", "webhook-configs", "webhook-subscriptions"] {
        let seen = stranger.get(&format!("/api/v1/{list}")).await.unwrap();
        assert_eq!(seen.body["data"], json!([]), "{list}");
    }
    assert_eq!(world.get("/api/v1/webhook-subscriptions").await, before, "and nothing was changed");
}

#[tokio::test]
async fn a_key_over_its_rate_limit_is_answered_429_and_other_keys_are_not() {
    let parameters = [("KeyRateLimit".to_owned(), "5".to_owned())].into();
    let time = stella_local::time::Time::manual("2026-03-01T12:00:00Z".parse().unwrap());
    let world = World::made_of(Settings { parameters, time, ..Settings::default() }).await;
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
