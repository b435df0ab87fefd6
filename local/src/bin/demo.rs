//! `make demo`: shows on a running stack how a registry's push becomes a release and a delivered webhook.

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
use sam_local::Data;
use serde_json::{Value, json};
use sha2::Sha256;
use stella::error::Error;
use stella_local::client::{Answer, Client};
use stella_local::default_tenant;
use tokio::sync::mpsc;

/// How long the demo waits for a webhook.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Show on a running stack how a push becomes a release and a delivered webhook
#[derive(Parser)]
struct Options {
    /// URL of the stack
    #[arg(long, env = "STELLA_URL", default_value = "http://127.0.0.1:8787")]
    url: String,
    /// Admin key of the tenant [default: the one in the data directory]
    #[arg(long, env = "STELLA_KEY")]
    key: Option<String>,
    /// Data directory of the stack
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

/// A webhook that the demo's receiver got.
struct Webhook {
    headers: HeaderMap,
    body: Bytes,
}

async fn demo(options: &Options) -> Result<(), Error> {
    let key = match &options.key {
        Some(key) => key.clone(),
        None => default_tenant::kept(&Data::Folder(options.data_dir.clone()))?.ok_or_else(|| {
            Error::fault("no tenant key: start the stack with `make run`, or pass --key or --data-dir")
        })?,
    };
    let client = Client::new(&options.url, Some(key.trim()));
    let (receiver, mut webhooks) = start_receiver().await?;

    print("Create a component with the images myorg/myapp:");
    let body = json!({"name": "myapp", "repositories": ["myorg/myapp"]});
    let component = created(&client.post("/api/v1/components", &body).await?)?;
    print(&format!("  component {}", text(&component, "id")));

    print("Create a trigger that releases every semantic version:");
    let body = json!({"name": "every version", "on": "artifact.pushed", "versionRange": "*"});
    let path = format!("/api/v1/components/{}/triggers", text(&component, "id"));
    let trigger = created(&client.post(&path, &body).await?)?;
    print(&format!("  trigger {}", text(&trigger, "id")));

    print("Create two webhook configs; Docker Hub cannot sign, so its URL carries a token:");
    let body = json!({"name": "docker hub", "type": "registry-push", "provider": "dockerhub"});
    let docker_hub = created(&client.post("/api/v1/webhook-configs", &body).await?)?;
    print(&format!("  Docker Hub posts to {}", text(&docker_hub, "url")));
    let body =
        json!({"name": "harbor", "type": "registry-push", "provider": "harbor", "secret": "Harbor-s3cret"});
    let harbor = created(&client.post("/api/v1/webhook-configs", &body).await?)?;
    print(&format!("  Harbor posts to {}", text(&harbor, "url")));

    print("Create a signed subscription to release.created:");
    let body =
        json!({"name": "demo", "url": receiver, "authType": "signature", "events": ["release.created"]});
    let subscription = created(&client.post("/api/v1/webhook-subscriptions", &body).await?)?;
    let secret = text(&subscription, "signatureSecret").to_owned();
    print(&format!("  subscription {}; its secret is shown only once", text(&subscription, "id")));

    // Each run pushes new versions: a second push of the same one would be a duplicate.
    let run = run_number();
    let first = format!("v1.2.{run}");
    print(&format!("\nDocker Hub pushes myorg/myapp:{first}:"));
    let push = json!({
        "push_data": {"tag": first, "images": [format!("sha256:{}", "ab".repeat(32))], "pushed_at": run},
        "repository": {"name": "myapp", "namespace": "myorg", "repo_name": "myorg/myapp",
            "repo_url": "https://hub.docker.com/r/myorg/myapp"},
    });
    let answer = post_push(&options.url, &docker_hub, &push, None).await?;
    show_push(&answer);
    show_webhook(&mut webhooks, &secret).await?;

    let second = format!("v1.3.{run}");
    print(&format!("\nHarbor pushes myorg/myapp:{second}:"));
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

    print("\nThe delivery log:");
    let path = format!("/api/v1/webhook-subscriptions/{}/deliveries", text(&subscription, "id"));
    for row in wait_for_log(&client, &path, 2).await? {
        print(&format!(
            "  {} {} {}: {} after {} ms, attempt {}",
            text(&row, "createdAt"),
            text(&row, "deliveryId"),
            text(&row, "event"),
            text(&row, "status"),
            row.get("responseTime").unwrap_or(&Value::Null),
            row.get("attempt").unwrap_or(&Value::Null)
        ));
    }
    // The receiver stops with the demo: without the subscription nothing more is sent to it.
    let path = format!("/api/v1/webhook-subscriptions/{}", text(&subscription, "id"));
    client.json(Method::DELETE, &path, &Value::Null).await?;
    Ok(())
}

/// Starts the demo's receiver, which accepts every webhook; returns its URL and the webhooks.
async fn start_receiver() -> Result<(String, mpsc::UnboundedReceiver<Webhook>), Error> {
    let (sender, webhooks) = mpsc::unbounded_channel();
    let accept = |State(sender): State<mpsc::UnboundedSender<Webhook>>, headers: HeaderMap, body: Bytes| async move {
        // Fails only when the demo has ended.
        let _ = sender.send(Webhook { headers, body });
        "thank you"
    };
    let router = Router::new().fallback(accept).with_state(sender);
    let no_port = |error| Error::fault("cannot open a port for the receiver").caused_by(error);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(no_port)?;
    let url = format!("http://{}/stella", listener.local_addr().map_err(no_port)?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((url, webhooks))
}

/// Posts a push as a registry does: to the config's URL, without an API key.
async fn post_push(
    base: &str,
    config: &Value,
    push: &Value,
    authorization: Option<&str>,
) -> Result<Answer, Error> {
    let path = text(config, "url").strip_prefix(base).map(str::to_owned);
    let path = path.ok_or_else(|| Error::fault("the config's URL does not begin with the stack's"))?;
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(authorization.map(|secret| ("authorization", secret)));
    Client::new(base, None).send(Method::POST, &path, &headers, Bytes::from(push.to_string())).await
}

fn show_push(answer: &Answer) {
    print(&format!("  {} {}", answer.status.as_u16(), answer.body));
    for result in list(&answer.body, "results") {
        print(&format!("  version added: {}", text(result, "tag")));
        for release in list(result, "releases") {
            print(&format!("  release created: {}", release.as_str().unwrap_or_default()));
        }
    }
}

async fn show_webhook(webhooks: &mut mpsc::UnboundedReceiver<Webhook>, secret: &str) -> Result<(), Error> {
    let webhook = tokio::time::timeout(TIMEOUT, webhooks.recv()).await.ok().flatten();
    let webhook = webhook.ok_or_else(|| Error::unavailable("no webhook arrived within 10 seconds"))?;
    let header = |name: &str| {
        webhook.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let body: Value = serde_json::from_slice(&webhook.body).unwrap_or_default();
    print(&format!(
        "  webhook received: {} {} (release {})",
        header("x-stella-event"),
        header("x-stella-delivery"),
        body.pointer("/data/release/name").and_then(Value::as_str).unwrap_or_default()
    ));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .map_err(|error| Error::fault("invalid signing secret").caused_by(error))?;
    mac.update(&webhook.body);
    let signature = hex::decode(header("x-stella-signature")).unwrap_or_default();
    mac.verify_slice(&signature).map_err(|_| Error::fault("invalid signature"))?;
    print("  signature verified: X-Stella-Signature is the HMAC-SHA256 of the body");
    Ok(())
}

/// Waits for `count` rows in the delivery log: a row is written after the receiver has responded.
async fn wait_for_log(client: &Client, path: &str, count: usize) -> Result<Vec<Value>, Error> {
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

fn created(answer: &Answer) -> Result<Value, Error> {
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

/// Seconds since 1970, different in each run.
fn run_number() -> i64 {
    use stella::clock::{Clock as _, SystemClock};
    SystemClock.now().timestamp()
}

/// Prints a line. A closed standard output does not stop the demo.
fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
