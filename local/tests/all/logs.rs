//! No secret is logged: secrets are planted in every place that can hold one, everything is logged, and the
//! log contains none of them.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use stella_local::client::Client;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Notify;

use super::process::{after, serve, start};

/// Everything that our crates log. Libraries are left out, because at this level some log what they send.
const EVERYTHING: &str = "warn,stella=trace,sam_local=trace,local=trace";

/// A receiver on loopback that fails once, echoes each request in its answer, and signals the third request.
async fn receiver() -> (String, Arc<Notify>) {
    let (count, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let notify = Arc::clone(&done);
    let answer = move |headers: HeaderMap, body: String| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        if number == 2 {
            notify.notify_one();
        }
        let status = if number == 0 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
        async move { (status, format!("{headers:?} {body}")) }
    };
    (serve(Router::new().fallback(answer)).await, done)
}

async fn made(client: &Client, path: &str, body: &Value) -> Value {
    let answer = client.post(path, body).await.unwrap();
    assert!(answer.status.is_success(), "{}", answer.body);
    answer.data().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_planted_secret_is_in_the_log_of_everything() {
    let data = tempfile::tempdir().unwrap();
    let (mut process, printed) = start(data.path(), &[], Stdio::piped(), EVERYTHING).await;
    let [url, operator_key, key] =
        ["listening on ", "operator key: ", "tenant key: "].map(|label| after(&printed, label));
    let mut log = process.stderr.take().unwrap();
    let reading = tokio::spawn(async move {
        let mut text = String::new();
        log.read_to_string(&mut text).await.unwrap();
        text
    });
    let client = Client::new(&url, Some(&key));
    let mut planted = vec![operator_key, key];

    let (receiver, done) = receiver().await;
    for (number, (scheme, secret)) in
        [("bearer", "planted-bearer-7c1"), ("signature", "planted-signature-7c2")].into_iter().enumerate()
    {
        let mut body = json!({"name": "s", "url": format!("{receiver}/hook?token=planted-query-7c{number}"),
            "events": ["*"], "authType": scheme, "headers": {"X-Api-Key": format!("planted-header-7c{number}")},
            "retryPolicy": {"backoffSeconds": 1}});
        body[if scheme == "bearer" { "credential" } else { "signatureSecret" }] = json!(secret);
        made(&client, "/api/v1/webhook-subscriptions", &body).await;
        planted.extend([
            secret.to_owned(),
            format!("planted-query-7c{number}"),
            format!("planted-header-7c{number}"),
        ]);
    }
    let event =
        json!({"event": "release.created", "data": {"release": {"id": "r", "name": "planted-data-7c3"}}});
    made(&client, "/api/v1/events", &event).await;
    planted.push("planted-data-7c3".to_owned());
    done.notified().await;

    // A push that is authenticated, and one that is not.
    let config =
        json!({"name": "h", "type": "registry-push", "provider": "harbor", "secret": "planted-sender-7c4"});
    let config = made(&client, "/api/v1/webhook-configs", &config).await;
    let hub = json!({"name": "d", "type": "registry-push", "provider": "dockerhub"});
    let hub = made(&client, "/api/v1/webhook-configs", &hub).await;
    let token = hub["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let sender = Client::new(&url, None);
    let path = |config: &Value| config["url"].as_str().unwrap().strip_prefix(&url).unwrap().to_owned();
    let push = async |path: &str, authorization: &str| {
        let headers = [("content-type", "application/json"), ("authorization", authorization)];
        let body = json!({"push_data": {"tag": "planted-body-7c5"}, "type": "PUSH_ARTIFACT"}).to_string();
        sender.send(Method::POST, path, &headers, body.into()).await.unwrap().status
    };
    assert_eq!(push(&path(&config), "planted-guess-7c6").await, StatusCode::UNAUTHORIZED);
    assert_ne!(push(&path(&config), "planted-sender-7c4").await, StatusCode::UNAUTHORIZED);
    push(&path(&hub), "planted-guess-7c6").await;
    planted.extend(["planted-sender-7c4", "planted-body-7c5", "planted-guess-7c6"].map(str::to_owned));
    planted.push(token);
    let asked = client
        .with_key("stk_00000000000000000000000000000000_planted7c7")
        .get("/api/v1/events")
        .await
        .unwrap();
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED);
    planted.push("planted7c7".to_owned());

    process.start_kill().unwrap();
    let log = reading.await.unwrap();
    assert!(log.contains("deliver"), "something was logged: {log}");
    for secret in planted {
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
}
