//! Access: tenants, API keys, portal links and sessions.

use chrono::Duration;
use end_to_end::{World, id};
use http::{Method, StatusCode};
use serde_json::json;
use stella_local::client::{Answer, Client};

use super::{Moto, shown};

pub(super) async fn keys_and_sessions(moto: &Moto, world: &World) {
    for path in ["/health", "/meta", "/senders", "/event-types", "/overview"] {
        shown(world, &format!("/api/v1{path}")).await;
    }
    let stranger = stranger(world).await;
    key_is_revoked(world).await;
    let config = id(&world.docker_hub().await);
    let hidden = stranger.get(&format!("/api/v1/webhook-configs/{config}")).await.unwrap();
    assert_eq!(hidden.status, StatusCode::NOT_FOUND);
    session(world, &moto.anonymous(world)).await;
}

/// An admin of a second tenant, which is created by a repeated request with an idempotency key.
async fn stranger(world: &World) -> Client {
    let body = json!({"name": "other"}).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", "other")];
    let make = async || {
        let sent = world.operator.send(Method::POST, "/api/v1/tenants", &headers, body.clone().into());
        id(sent.await.unwrap().data())
    };
    let tenant = make().await;
    assert_eq!(make().await, tenant);
    let tenants = world.operator.get("/api/v1/tenants").await.unwrap();
    assert_eq!(tenants.body["pagination"]["total"], 2, "{}", tenants.body);
    let path = format!("/api/v1/tenants/{tenant}/api-keys");
    let key = world.operator.post(&path, &json!({"name": "k", "role": "admin"})).await.unwrap();
    world.admin.with_key(key.data()["key"].as_str().unwrap())
}

async fn key_is_revoked(world: &World) {
    let made = world.post("/api/v1/api-keys", &json!({"name": "v", "role": "viewer"})).await;
    let viewer = world.admin.with_key(made.data()["key"].as_str().unwrap());
    assert_eq!(viewer.get("/api/v1/components").await.unwrap().status, StatusCode::OK);
    assert!(shown(world, "/api/v1/api-keys").await["pagination"]["total"].as_u64() >= Some(2));
    let path = format!("/api/v1/api-keys/{}", id(made.data()));
    let revoked = world.admin.send(Method::DELETE, &path, &[], "".into()).await.unwrap();
    assert_eq!(revoked.status, StatusCode::OK, "{}", revoked.body);
    world.time.advance(Duration::minutes(1));
    assert_eq!(viewer.get("/api/v1/components").await.unwrap().status, StatusCode::UNAUTHORIZED);
}

/// A portal link opens one session, which reads and is ended.
async fn session(world: &World, browser: &Client) {
    let link = world.post("/api/v1/portal-links", &json!({})).await;
    let link = link.data()["url"].as_str().unwrap().split_once("#link=").unwrap().1.to_owned();
    let open = async || browser.post("/api/v1/portal-session", &json!({ "link": link })).await.unwrap();
    let opened = open().await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
    assert_eq!(open().await.status, StatusCode::UNAUTHORIZED, "a link is used once");

    let cookie = opened.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let csrf = opened.data()["csrfToken"].as_str().unwrap().to_owned();
    let ask = async |method: Method| -> Answer {
        let headers = [("cookie", cookie.as_str()), ("x-csrf-token", csrf.as_str())];
        browser.send(method, "/api/v1/portal-session", &headers, "".into()).await.unwrap()
    };
    assert_eq!(ask(Method::GET).await.data()["csrfToken"], json!(csrf));
    assert_eq!(ask(Method::DELETE).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ask(Method::GET).await.status, StatusCode::UNAUTHORIZED);
}
