//! The command line client `stella`, run against the whole system.

use std::path::Path;
use std::process::Stdio;

use end_to_end::receiver::{Receiver, Reply};
use end_to_end::{World, docker_hub_push, id, profile_folder};
use serde_json::{Value, json};
use tokio::process::Command;

/// The exit code and the output of a command.
struct Output {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Output {
    /// Standard output, parsed as JSON.
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("no JSON: {} {}", self.out, self.err))
    }
}

fn command(world: &World, key: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(profile_folder().join("stella"));
    command
        .args(arguments)
        .env_clear()
        .env("STELLA_URL", world.stack.url())
        .env("STELLA_KEY", key)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn run(mut command: Command) -> Output {
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Output { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs `stella` with the admin key.
async fn stella(world: &World, arguments: &[&str]) -> Output {
    run(command(world, &world.key, arguments)).await
}

/// Runs `stella --json`, which must succeed; its output.
async fn json_of(world: &World, arguments: &[&str]) -> Value {
    let output = stella(world, &[arguments, &["--json"]].concat()).await;
    assert_eq!(output.code, Some(0), "{arguments:?}: {} {}", output.out, output.err);
    output.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn init_creates_a_component_and_a_config_that_accept_a_signed_example() {
    let world = World::start().await;
    let made = json_of(
        &world,
        &["init", "--component", "myapp", "--repository", "ghcr.io/myorg/myapp", "--sender", "ghcr"],
    )
    .await;
    let (config, secret) = (id(&made["config"]), made["secret"].as_str().unwrap());
    let send = ["send", "ghcr", "registry-package", "--config", &config, "--secret", secret];
    let answer = json_of(&world, &send).await;
    assert_eq!(
        (&answer["action"], &answer["triggersActivated"]),
        (&json!("processed"), &json!(1)),
        "{answer}"
    );
    let answer = json_of(&world, &[&send[..], &["--tag", "v1.3.0"]].concat()).await;
    assert_eq!(answer["versionsAdded"], 1);
    let releases = json_of(&world, &["releases", "list"]).await;
    assert_eq!(releases.as_array().unwrap().len(), 2);
    let versions = stella(&world, &["components", "versions", &id(&made["component"])]).await;
    assert!(versions.out.contains("v1.3.0") && versions.out.contains("CHANNEL"), "{}", versions.out);
    let receipts = stella(&world, &["configs", "receipts", &config]).await;
    assert!(receipts.out.contains("processed"), "{}", receipts.out);

    let source =
        ["init", "--component", "source", "--repository", "ghcr.io/myorg/myapp", "--sender", "github"];
    let made = json_of(&world, &source).await;
    let (config, secret) = (id(&made["config"]), made["secret"].as_str().unwrap());
    let tagged =
        json_of(&world, &["send", "github", "push-tag", "--config", &config, "--secret", secret]).await;
    assert_eq!(tagged["triggersActivated"], 1, "at the code host it has another host's name: {tagged}");

    let wrong =
        stella(&world, &["send", "ghcr", "registry-package", "--config", &config, "--secret", "x"]).await;
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("Check `--secret`"), "{}", wrong.err);
    assert!(!wrong.err.contains("STELLA_KEY"), "a sender has no API key: {}", wrong.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_accepted_by_a_config_of_its_sender() {
    let world = World::start().await;
    let examples = json_of(&world, &["send"]).await;
    let examples = examples.as_array().unwrap();
    assert!(examples.len() > 30);
    for example in examples {
        let (sender, event) = (example["sender"].as_str().unwrap(), example["event"].as_str().unwrap());
        let (kind, provider) = match sender {
            "github" => ("github-app", "auto"),
            "gitlab" => ("gitlab-webhook", "auto"),
            "bitbucket" | "generic" => ("generic", sender),
            "azure-devops" | "buildkite" | "cdevents" | "circleci" | "jenkins" | "tekton" => {
                ("ci-pipeline", sender)
            }
            registry => ("registry-push", registry),
        };
        let mut body = json!({"name": sender, "type": kind, "provider": provider, "secret": "user:a secret"});
        let made = world.post("/api/v1/webhook-configs", &body).await;
        let made = if made.status.is_success() {
            made
        } else {
            // This sender is authenticated by the URL token alone.
            body.as_object_mut().unwrap().remove("secret");
            world.post("/api/v1/webhook-configs", &body).await
        };
        let config = made.data();
        let token = config["url"].as_str().unwrap().split('/').nth(8);
        let (config, mut arguments) =
            (id(config), vec!["send", sender, event, "--secret", "user:a secret", "--config"]);
        arguments.push(&config);
        arguments.extend(token.iter().flat_map(|token| ["--token", token]));
        let answer = json_of(&world, &arguments).await;
        assert!(answer["action"].is_string(), "{sender} {event}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listen_forwards_signed_deliveries_reports_them_and_deletes_its_subscription() {
    let world = World::start().await;
    let script = |number, _: &_| if number == 0 { Reply::from(200) } else { Reply::from(400) };
    let receiver = Receiver::start(script).await;
    let arguments = [
        "listen",
        "--forward",
        &receiver.url,
        "--events",
        "release.created",
        "--secret",
        "a secret",
        "--count",
        "2",
        "--json",
    ];
    let listening = tokio::spawn(run(command(&world, &world.key, &arguments)));
    let subscriptions = world.rows("/api/v1/webhook-subscriptions", |rows| rows.len() == 1).await;
    world.publish("release.created").await;
    world.publish("release.created").await;
    let output = listening.await.unwrap();
    assert_eq!(output.code, Some(0), "{}", output.err);
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    let lines: Vec<Value> = output.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let statuses: Vec<&Value> = lines.iter().map(|line| &line["status"]).collect();
    assert!(statuses.contains(&&json!("delivered")) && statuses.contains(&&json!("failed")), "{statuses:?}");

    let mut arguments = vec!["verify".to_owned(), "--secret".to_owned(), "a secret".to_owned()];
    for name in
        ["x-stella-signature", "x-stella-timestamp", "webhook-id", "webhook-timestamp", "webhook-signature"]
    {
        arguments.extend(["-H".to_owned(), format!("{name}: {}", received[0].header(name))]);
    }
    let folder = tempfile::tempdir().unwrap();
    let body = folder.path().join("body");
    std::fs::write(&body, &received[0].body).unwrap();
    arguments.extend(["--body".to_owned(), body.display().to_string()]);
    let genuine = stella(&world, &arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(genuine.code, Some(0), "{} {}", genuine.out, genuine.err);
    std::fs::write(&body, "{}").unwrap();
    let forged = stella(&world, &arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(forged.code, Some(1));
    assert!(forged.out.contains("NOT genuine") && forged.out.contains("the body differs"), "{}", forged.out);

    let gone =
        world.admin.get(&format!("/api/v1/webhook-subscriptions/{}", id(&subscriptions[0]))).await.unwrap();
    assert_eq!(gone.status, http::StatusCode::NOT_FOUND, "listen deletes its subscription");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_delivery_is_listed_recovered_and_redelivered() {
    let world = World::start().await;
    let script = |number, _: &_| if number == 0 { Reply::from(400) } else { Reply::from(200) };
    let receiver = Receiver::start(script).await;
    let create =
        ["subscriptions", "create", "--name", "s", "--to", &receiver.url, "--events", "release.created"];
    let subscription = id(&json_of(&world, &create).await);
    json_of(&world, &["trigger", "release.created"]).await;
    let path = format!("/api/v1/webhook-subscriptions/{subscription}/deliveries");
    let rows = world.rows(&path, |rows| rows.iter().any(|row| row["status"] == "failed")).await;
    let listed = stella(&world, &["deliveries", "list", &subscription, "--status", "failed"]).await;
    assert!(listed.out.contains("failed") && listed.out.contains("400"), "{}", listed.out);
    let shown = stella(&world, &["deliveries", "show", &id(&rows[0])]).await;
    assert!(shown.out.contains("Client error: 400"), "{}", shown.out);
    let dry = json_of(&world, &["recover", &subscription, "--from", "1h", "--dry-run"]).await;
    assert_eq!(dry["matched"], 1);
    let recovery = json_of(&world, &["recover", &subscription, "--from", "1h"]).await;
    assert_eq!((&recovery["status"], &recovery["requeued"]), (&json!("completed"), &json!(1)));
    world.rows(&path, |rows| rows.iter().all(|row| row["status"] == "delivered")).await;
    json_of(&world, &["deliveries", "redeliver", &id(&rows[0])]).await;
    receiver.wait_for(3).await;
    let test = json_of(&world, &["subscriptions", "test", &subscription]).await;
    assert_eq!(test["statusCode"], 200);
    let data = r#"{"release": {"id": "r", "name": "from the command line"}}"#;
    json_of(&world, &["trigger", "release.created", "--data", data]).await;
    let received = receiver.wait_for(5).await;
    assert_eq!(received[4].json()["data"]["release"]["name"], "from the command line");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_reports_passed_and_failed_checks() {
    let world = World::start().await;
    let healthy = json_of(&world, &["doctor", "--publish"]).await;
    assert_eq!(healthy["ok"], true, "{healthy}");
    let config = world.config(&json!({"name": "hub", "type": "github-app", "secret": "s"})).await;
    assert_eq!(world.push(&config, &[], &docker_hub_push("v1", 1)).await.status, 401);
    let path = format!("/api/v1/webhook-configs/{}", id(&config));
    while world.get(&path).await["data"]["rejectedLast24h"] == 0 {}
    let unhealthy = stella(&world, &["doctor"]).await;
    assert_eq!(unhealthy.code, Some(1));
    assert!(unhealthy.out.contains("hub rejected about 1 request in the last 24 h"), "{}", unhealthy.out);
    assert!(unhealthy.err.contains("1 of 4 checks failed"), "{}", unhealthy.err);
    assert_eq!(
        world.get("/api/v1/webhook-configs").await["data"].as_array().unwrap().len(),
        1,
        "doctor deletes what it created"
    );
    let operator = run(command(&world, &world.operator_key, &["doctor"])).await;
    assert_eq!(operator.code, Some(0), "{}", operator.err);
    assert!(operator.out.contains("dead letters: none"), "{}", operator.out);
}

async fn with_home(world: &World, home: &Path, key: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = command(world, "", arguments);
    command.env_remove("STELLA_KEY").env_remove("STELLA_URL").env("HOME", home);
    if let Some(key) = key {
        command.args(["--url", &world.stack.url(), "--key", key]);
    }
    run(command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_stores_address_and_key_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::start().await;
    let home = tempfile::tempdir().unwrap();
    let wrong = with_home(&world, home.path(), Some("stk_wrong"), &["login", "--name", "work"]).await;
    assert_eq!(wrong.code, Some(1), "an invalid key is not stored");
    let login = with_home(&world, home.path(), Some(&world.key), &["login", "--name", "work"]).await;
    assert_eq!(login.code, Some(0), "{}", login.err);
    let file = home.path().join(".config/stella/config.toml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let listed = with_home(&world, home.path(), None, &["--profile", "work", "keys", "list"]).await;
    assert!(listed.code == Some(0) && listed.out.contains("admin"), "{} {}", listed.out, listed.err);
    let unknown = with_home(&world, home.path(), None, &["--profile", "home", "keys", "list"]).await;
    assert!(unknown.code == Some(2) && unknown.err.contains("known profiles: work"), "{}", unknown.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_sets_the_exit_code_and_its_message_names_the_cause() {
    let world = World::start().await;
    for (key, arguments, code, text) in [
        ("stk_wrong", &["releases", "list"][..], 1, "STELLA_KEY"),
        (&world.key, &["releases", "show", "01a20ee9-b42c-7428-b2a1-124bda45d72c"], 1, "not_found"),
        (&world.key, &["trigger", "release.forgotten"], 2, "event types: release.created"),
        (&world.key, &["trigger", "release.created", "--data", "{}"], 1, "data.release is required"),
        (&world.key, &["send", "github", "party", "--config", "x"], 2, "examples of github: ping"),
        (&world.key, &["recover", "x", "--from", "yesterday"], 2, "invalid time yesterday"),
        (&world.key, &["tenants", "list"], 1, "forbidden"),
        (&world.key, &["init", "--component", "c", "--repository", "r"], 2, "`--sender` is required"),
        (&world.key, &["--url", "http://127.0.0.1:9", "releases", "list"], 1, "no response from"),
    ] {
        let output = run(command(&world, key, arguments)).await;
        assert_eq!(output.code, Some(code), "{arguments:?}: {} {}", output.out, output.err);
        assert!(output.err.contains(text), "{arguments:?}: {}", output.err);
    }
    let problem = stella(&world, &["--json", "releases", "show", "x"]).await;
    let problem: Value = serde_json::from_str(&problem.err).unwrap();
    assert_eq!(problem["code"], "not_found");
    for shell in ["bash", "zsh", "fish"] {
        assert!(stella(&world, &["completions", shell]).await.out.contains("dead-letters"), "{shell}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn portal_prints_a_link_that_signs_in_once() {
    let world = World::start().await;
    let link = json_of(&world, &["portal", "--ttl", "600"]).await;
    let text = link["url"].as_str().unwrap().split_once("#link=").unwrap().1.to_owned();
    let sign_in =
        async || world.anonymous().post("/api/v1/portal-session", &json!({"link": text})).await.unwrap();
    assert_eq!(sign_in().await.data()["role"], "admin");
    assert_eq!(sign_in().await.status, http::StatusCode::UNAUTHORIZED);
    assert!(stella(&world, &["portal"]).await.out.starts_with(&world.stack.url()));
}

#[tokio::test(flavor = "multi_thread")]
async fn create_and_update_take_any_member_and_a_file() {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("subscription.json");
    let members = json!({"name": "file", "url": "pull:", "events": ["*"], "timeout": 1000});
    std::fs::write(&file, members.to_string()).unwrap();
    let create = ["subscriptions", "create", "--name", "named", "--file", file.to_str().unwrap()];
    let set = ["--set", "retryPolicy.maxRetries=5", "--set", "timeout=2000", "--set", "name=set"];
    let made = json_of(&world, &[&create[..], &set].concat()).await;
    assert_eq!(
        (&made["name"], &made["timeout"], &made["url"]),
        (&json!("named"), &json!(2000), &json!("pull:"))
    );
    assert_eq!(made["retryPolicy"]["maxRetries"], 5);

    let update = ["subscriptions", "update", &id(&made), "--events", "deployment.*", "--set", "timeout=null"];
    let changed = json_of(&world, &update).await;
    assert_eq!((&changed["name"], &changed["events"]), (&json!("named"), &json!(["deployment.*"])));
    assert_eq!((&changed["timeout"], &changed["retryPolicy"]), (&json!(30_000), &made["retryPolicy"]));

    let component = json_of(&world, &["components", "create", "--name", "myapp"]).await;
    let renamed = ["components", "update", &id(&component), "--repositories", "ghcr.io/myorg/myapp"];
    assert_eq!(json_of(&world, &renamed).await["repositories"], json!(["ghcr.io/myorg/myapp"]));
    let new = ["triggers", "create", &id(&component), "--name", "stable", "--on", "artifact.pushed"];
    let trigger = json_of(&world, &[&new[..], &["--set", "tagPattern=v*"]].concat()).await;
    assert_eq!(trigger["tagPattern"], "v*");
    let update = ["triggers", "update", &id(&component), &id(&trigger), "--set", "enabled=false"];
    assert_eq!(json_of(&world, &update).await["enabled"], false);
    let config =
        ["configs", "create", "--name", "ci", "--type", "generic", "--set", "repositories=[\"myorg/*\"]"];
    let config = json_of(&world, &config).await;
    let update = ["configs", "update", &id(&config), "--name", "builds", "--file", "-"];
    let mut command = command(&world, &world.key, &[&update[..], &["--json"]].concat());
    command.stdin(std::fs::File::open(&file).unwrap());
    std::fs::write(&file, json!({"repositories": [], "name": "file"}).to_string()).unwrap();
    let changed = run(command).await.json();
    assert_eq!((&changed["name"], &changed["repositories"]), (&json!("builds"), &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_about_a_member_names_its_option() {
    let world = World::start().await;
    for (arguments, code, expected) in [
        (&["subscriptions", "create", "--name", "x"][..], 2, "`--to` (or `--set url=…`), `--events`"),
        (&["subscriptions", "update", "x"], 2, "nothing to change"),
        (&["triggers", "create", "x", "--set", "enabled"], 2, "--set <PATH=JSON>"),
        (&["components", "update", "x", "--file", "/nowhere.json"], 2, "--file /nowhere.json"),
        (&["components", "create", "--name", "x", "--set", "nonsense=1"], 1, "nonsense"),
    ] {
        let output = stella(&world, arguments).await;
        assert_eq!(output.code, Some(code), "{arguments:?}: {}", output.err);
        assert!(output.err.contains(expected), "{arguments:?}: {}", output.err);
    }
}
