//! `make demo`: shows the whole way on a running stack, from a registry's push to a subscriber that is told.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use clap::Parser;
use hmac::{Hmac, Mac as _};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use sha2::Sha256;
use stella::error::Error;
use stella_local::client::{Answer, Client};
use stella_local::default_tenant;
use stella_local::stack::Data;
use tokio::sync::mpsc;

/// How long the demo waits for a webhook.
const PATIENCE: Duration = Duration::from_secs(10);

/// Shows a push become a release, and a subscriber be told.
#[derive(Parser)]
struct Options {
    /// Where the stack listens.
    #[arg(long, env = "STELLA_URL", default_value = "http://127.0.0.1:8787")]
    url: String,
    /// The tenant's admin key; without one, it is read from the data folder.
    #[arg(long, env = "STELLA_KEY")]
    key: Option<String>,
    /// Where the stack keeps its data.
    #[arg(long, env = "STELLA_DATA_DIR", default_value = ".local")]
    data_dir: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match demo(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            eprintln!("demo: {error}{}", cause.unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

/// A webhook as the demo's receiver got it.
struct Webhook {
    headers: HeaderMap,
    body: Bytes,
}

async fn demo(options: &Options) -> Result<(), Error> {
    let key = match &options.key {
        Some(key) => key.clone(),
        None => default_tenant::kept(&Data::Folder(options.data_dir.clone()))?.ok_or_else(|| {
            Error::fault("no tenant key: is the stack running (make run)? Else give --key or --data-dir")
        })?,
    };
    let client = Client::new(&options.url, Some(key.trim()));
    let (receiver, mut webhooks) = receive().await?;

    say("A component, whose images are myorg/myapp:");
    let body = json!({"name": "myapp", "repositories": ["myorg/myapp"]});
    let component = made(&client.post("/api/v1/components", &body).await?)?;
    say(&format!("  component {}", text(&component, "id")));

    say("A trigger, which makes a release of every semantic version:");
    let body = json!({"name": "every version", "on": "artifact.pushed", "versionRange": "*"});
    let path = format!("/api/v1/components/{}/triggers", text(&component, "id"));
    let trigger = made(&client.post(&path, &body).await?)?;
    say(&format!("  trigger {}", text(&trigger, "id")));

    say("Two webhook configs; Docker Hub cannot sign, so that its address carries a token:");
    let body = json!({"name": "docker hub", "type": "registry-push", "provider": "dockerhub"});
    let docker_hub = made(&client.post("/api/v1/webhook-configs", &body).await?)?;
    say(&format!("  Docker Hub posts to {}", text(&docker_hub, "url")));
    let body =
        json!({"name": "harbor", "type": "registry-push", "provider": "harbor", "secret": "Harbor-s3cret"});
    let harbor = made(&client.post("/api/v1/webhook-configs", &body).await?)?;
    say(&format!("  Harbor posts to {}", text(&harbor, "url")));

    say("A signed subscription to release.created:");
    let body =
        json!({"name": "demo", "url": receiver, "authType": "signature", "events": ["release.created"]});
    let subscription = made(&client.post("/api/v1/webhook-subscriptions", &body).await?)?;
    let secret = text(&subscription, "signatureSecret").to_owned();
    say(&format!("  subscription {}, its secret is shown this once", text(&subscription, "id")));

    // Each run pushes versions of its own, else the second run would show duplicates.
    let run = run_number();
    let first = format!("v1.2.{run}");
    say(&format!("\nDocker Hub pushes myorg/myapp:{first}:"));
    let push = json!({
        "push_data": {"tag": first, "images": [format!("sha256:{}", "ab".repeat(32))], "pushed_at": run},
        "repository": {"name": "myapp", "namespace": "myorg", "repo_name": "myorg/myapp",
            "repo_url": "https://hub.docker.com/r/myorg/myapp"},
    });
    let answer = post_push(&options.url, &docker_hub, &push, None).await?;
    show_push(&answer);
    show_webhook(&mut webhooks, &secret).await?;

    let second = format!("v1.3.{run}");
    say(&format!("\nHarbor pushes myorg/myapp:{second}:"));
    let push = json!({
        "type": "PUSH_ARTIFACT", "occur_at": run, "operator": "admin",
        "event_data": {
            "repository": {"name": "myapp", "namespace": "myorg", "repo_full_name": "myorg/myapp"},
            "resources": [{"digest": format!("sha256:{}", "cd".repeat(32)), "tag": second,
                "resource_url": format!("harbor.example.com/myorg/myapp:{second}")}],
        },
    });
    let answer = post_push(&options.url, &harbor, &push, Some("Harbor-s3cret")).await?;
    show_push(&answer);
    show_webhook(&mut webhooks, &secret).await?;

    say("\nThe delivery log:");
    let path = format!("/api/v1/webhook-subscriptions/{}/deliveries", text(&subscription, "id"));
    for row in logged(&client, &path, 2).await? {
        say(&format!(
            "  {} {} {}: {} after {} ms, attempt {}",
            text(&row, "createdAt"),
            text(&row, "deliveryId"),
            text(&row, "event"),
            text(&row, "status"),
            row.get("responseTime").unwrap_or(&Value::Null),
            row.get("attempt").unwrap_or(&Value::Null)
        ));
    }
    // The demo's receiver ends with it, so nothing more is to be sent there.
    let path = format!("/api/v1/webhook-subscriptions/{}", text(&subscription, "id"));
    client.json(Method::DELETE, &path, &Value::Null).await?;
    Ok(())
}

/// The tiny subscriber: it takes everything, and hands it to the demo.
async fn receive() -> Result<(String, mpsc::UnboundedReceiver<Webhook>), Error> {
    let (tell, told) = mpsc::unbounded_channel();
    let take = |State(tell): State<mpsc::UnboundedSender<Webhook>>, headers: HeaderMap, body: Bytes| async move {
        // Once the demo has ended nobody listens any more.
        let _ = tell.send(Webhook { headers, body });
        "thank you"
    };
    let router = Router::new().fallback(take).with_state(tell);
    let no_port = |error| Error::fault("no port for the receiver").caused_by(error);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(no_port)?;
    let url = format!("http://{}/stella", listener.local_addr().map_err(no_port)?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((url, told))
}

/// Posts a push as a registry does: to the address of the config, with no key of ours.
async fn post_push(
    base: &str,
    config: &Value,
    push: &Value,
    authorization: Option<&str>,
) -> Result<Answer, Error> {
    let path = text(config, "url").strip_prefix(base).map(str::to_owned);
    let path = path.ok_or_else(|| Error::fault("the config's address is not below the stack's"))?;
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(authorization.map(|secret| ("authorization", secret)));
    Client::new(base, None).send(Method::POST, &path, &headers, Bytes::from(push.to_string())).await
}

fn show_push(answer: &Answer) {
    say(&format!("  {} {}", answer.status.as_u16(), answer.body));
    for result in list(&answer.body, "results") {
        say(&format!("  version added: {}", text(result, "tag")));
        for release in list(result, "releases") {
            say(&format!("  release created: {}", release.as_str().unwrap_or_default()));
        }
    }
}

async fn show_webhook(webhooks: &mut mpsc::UnboundedReceiver<Webhook>, secret: &str) -> Result<(), Error> {
    let webhook = tokio::time::timeout(PATIENCE, webhooks.recv()).await.ok().flatten();
    let webhook = webhook.ok_or_else(|| Error::unavailable("no webhook came within 10 seconds"))?;
    let header = |name: &str| {
        webhook.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let body: Value = serde_json::from_slice(&webhook.body).unwrap_or_default();
    say(&format!(
        "  webhook received: {} {} (release {})",
        header("x-stella-event"),
        header("x-stella-delivery"),
        body.pointer("/data/release/name").and_then(Value::as_str).unwrap_or_default()
    ));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .map_err(|error| Error::fault("the secret is not a key").caused_by(error))?;
    mac.update(&webhook.body);
    let signature = hex::decode(header("x-stella-signature")).unwrap_or_default();
    mac.verify_slice(&signature).map_err(|_| Error::fault("the signature is wrong"))?;
    say("  signature verified: X-Stella-Signature is the HMAC-SHA256 of the body");
    Ok(())
}

/// The log's rows, once as many are there: a row is written after its receiver has answered.
async fn logged(client: &Client, path: &str, count: usize) -> Result<Vec<Value>, Error> {
    let mut rows = Vec::new();
    for _ in 0..50 {
        let answer = client.get(path).await?;
        rows = answer.data().as_array().cloned().unwrap_or_default();
        if rows.len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(rows)
}

fn made(answer: &Answer) -> Result<Value, Error> {
    if answer.status.is_success() {
        return Ok(answer.data().clone());
    }
    Err(Error::fault("the stack refused a request").about(answer.body.to_string()))
}

fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// Seconds since 1970.
fn run_number() -> i64 {
    use stella::clock::{Clock as _, SystemClock};
    SystemClock.now().timestamp()
}

/// A line for the person who watches. Whoever has stopped reading does not stop the demo.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
