//! The signature verifier printed in docs/api.md, run as a subscriber would run it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use chrono::Duration;
use end_to_end::World;
use end_to_end::receiver::{Received, Receiver, Reply};
use sam_local::Time;
use serde_json::json;
use stella::clock::{Clock as _, SystemClock};

const DOCS: &str = include_str!("../../../docs/api.md");

/// Calls the documented function with arguments read as JSON from standard input.
const CALL: &str = "
import json, sys
request = json.load(sys.stdin)
sys.exit(0 if is_genuine(request['body'].encode(), request['headers'], request['secret']) else 1)
";

fn accepts(request: &Received, body: &str, secret: &str) -> bool {
    let code = DOCS.split_once("```python\n").unwrap().1.split_once("```").unwrap().0;
    let headers = json!({
        "X-Stella-Signature": request.header("x-stella-signature"),
        "X-Stella-Timestamp": request.header("x-stella-timestamp"),
    });
    let input = json!({"body": body, "headers": headers, "secret": secret}).to_string();
    let mut python = Command::new("python3")
        .args(["-c", &format!("{code}\n{CALL}")])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    python.wait().unwrap().success()
}

#[tokio::test]
async fn the_documented_verifier_accepts_every_attempt_and_refuses_forgeries() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: python3 is not installed");
        return;
    }
    let world = World::with(stella_local::Functions::ours(), Time::manual(SystemClock.now())).await;
    let receiver = Receiver::start(|number, _| Reply::from(if number < 2 { 500 } else { 200 })).await;
    let body = json!({"name": "s", "url": receiver.url, "authType": "signature", "events": ["*"],
        "signatureSecret": "my-secret-key"});
    let subscription = world.subscription(&body).await;
    world.publish("promotion.requested").await;
    for attempt in 1..=2_u64 {
        world.deliveries(&subscription, |rows| rows.len() == 1 && rows[0]["attempts"] == attempt).await;
        let count = usize::try_from(attempt).unwrap() + 1;
        world.pass(Duration::seconds(60), &receiver, count).await;
    }
    for attempt in &receiver.received() {
        let body = std::str::from_utf8(&attempt.body).unwrap();
        assert!(accepts(attempt, body, "my-secret-key"));
        assert!(!accepts(attempt, body, "another"));
        assert!(!accepts(attempt, &body.replace("staging", "production"), "my-secret-key"));
    }
}
