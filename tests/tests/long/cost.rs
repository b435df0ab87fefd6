//! Tests of what requests cost on AWS, counted at the emulated endpoints: operations, and DynamoDB's capacity
//! units.

use std::collections::BTreeMap;

use end_to_end::bill::{Bill, as_f64};
use end_to_end::load::{Load, deliver};
use end_to_end::no_op::NoOp;
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::{World, digest, harbor_push, id};
use hmac::{Hmac, Mac as _};
use sam_local::{Settings, Time};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use stella::clock::{Clock as _, SystemClock};
use stella_local::Functions;

use super::ALONE;

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))[..40].to_owned()
}

/// The names in the URLs of a repository at GitHub.
const RELATED: [&str; 36] = [
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "git_commits",
    "git_refs",
    "git_tags",
    "hooks",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "languages",
    "merges",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "stargazers",
    "statuses",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "trees",
];

/// A push to a branch of the size of GitHub's: a few commits, and all URLs of the repository.
fn git_push(repository: &str) -> String {
    let url = format!("https://github.com/{repository}");
    let person = json!({"name": "A developer", "email": "dev@example.com", "username": "dev"});
    let commit = |number: u32| {
        let id = hash(&number.to_string());
        json!({"id": id, "tree_id": hash(&id), "distinct": true, "url": format!("{url}/commit/{id}"),
            "message": format!("sender {number}: Read what it says of tags, and pass the rest over"),
            "timestamp": format!("2024-01-01T00:{number:02}:00Z"), "author": person, "committer": person,
            "added": [], "removed": [], "modified": [format!("lib/src/inbound/sender_{number}.rs")]})
    };
    let commits: Vec<Value> = (0..12).map(commit).collect();
    let mut about = json!({"id": 1, "full_name": repository, "html_url": url, "default_branch": "main"});
    for name in RELATED {
        let address = format!("https://api.github.com/repos/{repository}/{name}{{/{name}_number}}");
        about[format!("{name}_url")] = json!(address);
    }
    json!({"ref": "refs/heads/main", "before": hash("before"), "after": hash("11"), "compare": url,
        "repository": about,
        "pusher": {"name": "dev"}, "sender": {"login": "dev"}, "head_commit": commits[11],
        "commits": commits})
    .to_string()
}

/// The headers that GitHub and API Gateway add to a request.
fn github_headers(body: &str, secret: &str) -> Vec<(&'static str, String)> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body);
    vec![
        ("x-hub-signature-256", format!("sha256={}", hex::encode(mac.finalize().into_bytes()))),
        ("x-github-event", "push".to_owned()),
        ("x-github-delivery", "7f3b1f8e-a8a1-11ee-9b5a-6d2f1c3f0a4b".to_owned()),
        ("x-github-hook-id", "451234567".to_owned()),
        ("x-github-hook-installation-target-id", "734567890".to_owned()),
        ("x-github-hook-installation-target-type", "repository".to_owned()),
        ("user-agent", "GitHub-Hookshot/a1b2c3d".to_owned()),
        ("accept", "*/*".to_owned()),
        ("x-amzn-trace-id", "Root=1-65920080-1f2e3d4c5b6a79887766554433221100".to_owned()),
        ("x-forwarded-for", "140.82.115.1".to_owned()),
        ("x-forwarded-port", "443".to_owned()),
        ("x-forwarded-proto", "https".to_owned()),
    ]
}

#[tokio::test]
async fn an_ignored_signed_push_of_ten_kilobytes_writes_three_units_and_sends_no_message() {
    let world = World::metered(Functions::ours()).await;
    let config = world.config(&json!({"name": "g", "type": "github-app", "secret": "s3cret"})).await;
    let post = async |repository: &str| {
        let body = git_push(repository);
        assert!((10_000..12_000).contains(&body.len()), "{}", body.len());
        let headers = github_headers(&body, "s3cret");
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.push(&config, &headers, &body).await.body
    };
    // The config is cached from here on.
    post("nobody/first").await;
    let before = Bill::now(&world);
    assert_eq!(post("nobody/nothing").await["action"], "ignored");
    let bill = Bill::now(&world).since(&before);
    assert!(bill.written <= 3.0 && bill.written > 0.0, "{}", bill.written);
    assert!(bill.read <= 1.0, "{}", bill.read);
    assert_eq!(
        bill.calls,
        BTreeMap::from([
            ("Query".to_owned(), 1),
            ("PutItem".to_owned(), 1),
            ("InboundFunction".to_owned(), 1)
        ])
    );
}

#[tokio::test]
async fn a_body_with_many_deletions_by_digest_reads_the_versions_once() {
    let world = World::metered(Functions::ours()).await;
    world.component(&["myorg/myapp"]).await;
    let config = world
        .config(&json!({"name": "r", "type": "registry-push", "provider": "distribution", "authentication": {"type": "none"}}))
        .await;
    let deletions: Vec<Value> = (0..50)
        .map(|number: u32| {
            json!({"id": number.to_string(), "action": "delete", "timestamp": "2026-01-09T10:30:00Z",
                "target": {"digest": format!("sha256:{number:064x}"), "repository": "myorg/myapp",
                    "mediaType": "application/vnd.oci.image.manifest.v1+json"},
                "request": {"host": "registry.example.com"}})
        })
        .collect();
    let before = Bill::now(&world);
    let body = json!({ "events": deletions }).to_string();
    let answer = world.push(&config, &[], &body).await;
    assert_eq!(answer.body["results"].as_array().map(Vec::len), Some(50), "{}", answer.body);
    assert_eq!(answer.body["reason"], "No version has this digest");
    let bill = Bill::now(&world).since(&before);
    assert_eq!(
        bill.of("Query"),
        51,
        "one for each event's component, and one for the versions: {:?}",
        bill.calls
    );
}

#[tokio::test]
async fn requests_to_made_up_addresses_read_nothing() {
    let world = World::metered(Functions::ours()).await;
    let before = Bill::now(&world);
    for kind in ["registry", "ci", "github", "gitlab", "generic"] {
        for _ in 0..40 {
            let url = format!("{}/api/v1/webhooks/{kind}/{}", world.stack.url(), uuid::Uuid::new_v4());
            assert_eq!(world.push_to(&url, &[], "{}").await.status, http::StatusCode::NOT_FOUND);
        }
    }
    let bill = Bill::now(&world).since(&before);
    assert_eq!(bill.of("InboundFunction"), 200);
    assert_eq!(bill.of("GetItem") + bill.of("BatchGetItem") + bill.of("Query"), 0, "{:?}", bill.calls);
}

#[tokio::test]
async fn a_retry_to_a_deleted_subscription_reads_its_row_and_the_subscription_and_no_event() {
    let time = Time::manual(SystemClock.now());
    let functions = Functions::ours().with("sweep", |_| async { Ok(NoOp) }).into();
    let world = World::made_of(Settings { metered: true, functions, time, ..stella_local::settings() }).await;
    let receiver = Receiver::start(|_, _| Reply::from(503)).await;
    let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"]});
    let subscription = world.subscription(&body).await;
    // Too large for a message: an attempt reads it from its event.
    let mut data = world.example("release.created");
    data["note"] = json!("x".repeat(100_000));
    let published = world.post("/api/v1/events", &json!({"event": "release.created", "data": data})).await;
    assert_eq!(published.status, http::StatusCode::ACCEPTED, "{}", published.body);
    world.deliveries(&subscription, |rows| rows.len() == 1 && rows[0]["attempts"] == 1).await;
    let path = format!("/api/v1/webhook-subscriptions/{}", id(&subscription));
    world.admin.json(http::Method::DELETE, &path, &Value::Null).await.unwrap();

    // The attempt is written before the message for the next one is sent.
    world.stack.idle().await;
    let before = Bill::now(&world);
    // Longer than the retry's delay, and than a subscription is cached.
    world.time.advance(chrono::Duration::minutes(1));
    let bill = Bill::until(&world, &before, "PutItem", 1).await;
    assert_eq!(bill.of("GetItem"), 2, "{:?}", bill.calls);
    assert!(bill.read <= 4.0, "{}", bill.read);
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_push_that_creates_a_release_makes_two_reads_and_one_transaction() {
    // Fan-out does nothing, so that only the push is on the bill.
    let world = World::metered(Functions::ours().with("fanout", |_| async { Ok(NoOp) })).await;
    let component = world.component(&["myorg/myapp"]).await;
    world.trigger(&component, &json!({"name": "all", "on": "artifact.pushed"})).await;
    let body = json!({"name": "h", "type": "registry-push", "provider": "harbor", "secret": "s"});
    let config = world.config(&body).await;
    let post = async |tag: &str| {
        let push = harbor_push(tag, &digest('a'), 1_704_067_200);
        world.push(&config, &[("authorization", "s")], &push).await.body
    };
    // From here on the config is cached and the day is recorded.
    post("v1.0.0").await;
    let before = Bill::now(&world);
    assert_eq!(post("v1.1.0").await["triggersActivated"], 1);
    let bill = Bill::now(&world).since(&before);
    assert_eq!(bill.of("GetItem") + bill.of("BatchGetItem") + bill.of("Query"), 2, "{:?}", bill.calls);
    assert_eq!((bill.of("TransactWriteItems"), bill.of("SendMessage")), (1, 0), "{:?}", bill.calls);
}

/// Checks what an attempt costs with `fan_out` subscriptions to each event, if one in `failing` first
/// attempts fails.
async fn attempts_cost(fan_out: usize, failing: Option<usize>) {
    let _alone = ALONE.lock().await;
    let done = deliver(&Load { fan_out, failing, more_bytes: 0 }).await;
    let per_attempt = |amount: f64| amount / as_f64(done.attempts);
    let calls = |names: &[&str]| per_attempt(done.delivering.sum(names));
    let sqs = calls(&["SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch"]);
    let lambda = calls(&["FanoutFunction", "DeliverFunction", "RetryFunction"]);
    let written = per_attempt(done.delivering.written - done.marks);
    let read = per_attempt(done.delivering.read);
    let secrets = calls(&["GetSecretValue"]);
    println!(
        "fan-out {fan_out}, failing {failing:?}: SQS {sqs:.3}, Lambda {lambda:.3}, written {written:.3}, read {read:.3}, secrets {secrets:.4}"
    );
    assert!(sqs <= 0.35, "SQS {sqs}");
    assert!(lambda <= 0.12, "Lambda {lambda}");
    assert!((1.0..=1.05).contains(&written), "written {written}");
    assert!(read <= 0.1, "read {read}");
    assert!(secrets <= 0.001, "secrets {secrets}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_costs_a_third_of_an_sqs_request_and_one_write_at_every_fan_out() {
    for fan_out in [1, 3, 10] {
        attempts_cost(fan_out, None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_costs_the_same_when_one_in_twenty_fails() {
    for fan_out in [1, 3, 10] {
        attempts_cost(fan_out, Some(20)).await;
    }
}
