//! Runs a function's binary in a process of its own, against Lambda's runtime and extensions APIs on loopback
//! (docs.aws.amazon.com, "Using the Lambda runtime API for custom runtimes", "Using the Lambda Extensions
//! API").

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::StatusCode;
use serde_json::Value;
use stella::clock::{Clock as _, SystemClock};
use stella::environment::Environment;
use stella_local::Functions;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc, watch};

/// How long a test waits for a process to start, answer or exit.
const TIMEOUT: Duration = Duration::from_mins(1);

/// What the process reported for an event: its response, or its error.
type Outcome = Result<Value, Value>;

struct Shared {
    events: AsyncMutex<mpsc::Receiver<String>>,
    outcomes: mpsc::Sender<Outcome>,
    ready: watch::Sender<Option<Instant>>,
    ended: Notify,
}

/// A function's binary in a process of its own. It polls this process for events.
pub struct Runtime {
    events: mpsc::Sender<String>,
    outcomes: mpsc::Receiver<Outcome>,
    ready: watch::Receiver<Option<Instant>>,
    started: Instant,
    process: Child,
}

impl Runtime {
    /// Starts a binary of this workspace with these environment variables and those that Lambda sets.
    pub async fn start(binary: &str, variables: &BTreeMap<String, String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of loopback");
        let address = listener.local_addr().expect("an address");
        let (events, next) = mpsc::channel(1);
        let (reporting, outcomes) = mpsc::channel(1);
        let (ready, is_ready) = watch::channel(None);
        let shared =
            Shared { events: AsyncMutex::new(next), outcomes: reporting, ready, ended: Notify::new() };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next_event))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(responded))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(failed))
            .route("/2018-06-01/runtime/init/error", post(failed))
            .route("/2020-01-01/extension/register", post(registered))
            .route("/2020-01-01/extension/event/next", get(std::future::pending::<StatusCode>))
            .with_state(Arc::new(shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let path = path_of(binary);
        assert!(path.exists(), "{} is not built: `make test` builds it", path.display());
        let started = Instant::now();
        let process = Command::new(path)
            .env_clear()
            .envs(variables)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            // Injected faults fail at once, so a long timeout only helps on a busy machine.
            .env("LOCAL_TIMEOUT_MS", "30000")
            .env("AWS_LAMBDA_FUNCTION_NAME", binary)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
            // The ApplicationLogLevel of the template.
            .env("AWS_LAMBDA_LOG_LEVEL", "TRACE")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        Self { events, outcomes, ready: is_ready, started, process }
    }

    /// The time from the start of the process until it asked for its first event.
    pub async fn init(&mut self) -> Duration {
        let ready = tokio::time::timeout(TIMEOUT, self.ready.wait_for(Option::is_some)).await;
        let at = ready.expect("the function starts").expect("the endpoint runs");
        at.expect("a time").duration_since(self.started)
    }

    /// Sends one event; the function's response.
    ///
    /// # Errors
    /// The error that the function reported.
    pub async fn invoke(&mut self, event: &str) -> Outcome {
        self.events.send(event.to_owned()).await.expect("the endpoint runs");
        tokio::time::timeout(TIMEOUT, self.outcomes.recv())
            .await
            .expect("an answer")
            .expect("the endpoint runs")
    }

    /// Waits until the process exits by itself.
    pub async fn exited(self) -> Output {
        let output = tokio::time::timeout(TIMEOUT, self.process.wait_with_output()).await;
        output.expect("the process ends").expect("its output")
    }

    /// Sends SIGTERM, as Lambda does to a process with an extension, and waits until it exits.
    pub async fn shut_down(self) -> Output {
        let id = self.process.id().expect("a process that runs").to_string();
        let signalled = Command::new("kill").args(["-TERM", &id]).status().await.expect("a signal");
        assert!(signalled.success());
        self.exited().await
    }

    /// Kills the process; what it printed.
    pub async fn kill(mut self) -> String {
        self.process.start_kill().expect("a process that runs");
        let output = self.process.wait_with_output().await.expect("its output");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// The path of a binary that cargo built.
fn path_of(binary: &str) -> PathBuf {
    crate::profile_folder().join(binary)
}

async fn next_event(State(shared): State<Arc<Shared>>) -> Response {
    shared.ready.send_if_modified(|ready| ready.is_none() && ready.replace(Instant::now()).is_none());
    let Some(event) = shared.events.lock().await.recv().await else {
        // The test sends no more events and is about to end the process.
        shared.ended.notified().await;
        return StatusCode::GONE.into_response();
    };
    let deadline = (SystemClock.now() + chrono::Duration::seconds(60)).timestamp_millis().to_string();
    let headers = [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", deadline.as_str()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:f"),
        (
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
        ),
        ("content-type", "application/json"),
    ];
    (headers, event).into_response()
}

async fn registered() -> Response {
    let body = r#"{"functionName": "f", "functionVersion": "1", "handler": "bootstrap"}"#;
    ([("lambda-extension-identifier", "an extension"), ("content-type", "application/json")], body)
        .into_response()
}

async fn responded(State(shared): State<Arc<Shared>>, Path(_): Path<String>, body: String) -> StatusCode {
    report(&shared, Ok(serde_json::from_str(&body).expect("an answer is JSON"))).await
}

async fn failed(State(shared): State<Arc<Shared>>, body: String) -> StatusCode {
    report(&shared, Err(serde_json::from_str(&body).expect("an error is JSON"))).await
}

async fn report(shared: &Shared, outcome: Outcome) -> StatusCode {
    // The test may have ended already.
    let _ = shared.outcomes.send(outcome).await;
    StatusCode::ACCEPTED
}

/// The environment of each function of a stack, by its logical id.
pub type Environments = Arc<Mutex<BTreeMap<String, Environment>>>;

/// The environment variables of a function, by its logical id.
///
/// # Panics
/// If the stack has no such function.
#[must_use]
pub fn variables(environments: &Environments, function: &str) -> BTreeMap<String, String> {
    environments.lock().unwrap_or_else(PoisonError::into_inner)[function].variables().clone()
}

/// The JSON lines of a function's output.
#[must_use]
pub fn lines(printed: &str) -> Vec<Value> {
    printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The metric lines (embedded metric format) of a function's output.
#[must_use]
pub fn metrics(printed: &str) -> Vec<Value> {
    lines(printed).into_iter().filter(|line| line.get("_aws").is_some()).collect()
}

/// Our functions, and a record of the environment that each is started with.
#[must_use]
pub fn record_environments() -> (Functions, Environments) {
    let environments = Environments::default();
    macro_rules! recording {
        ($functions:expr, $code:literal, $start:path) => {{
            let environments = Arc::clone(&environments);
            $functions.with($code, move |environment: Environment| {
                let id = environment.variables()["AWS_ACCESS_KEY_ID"].clone();
                environments.lock().unwrap_or_else(PoisonError::into_inner).insert(id, environment.clone());
                $start(environment)
            })
        }};
    }
    let functions = Functions::ours();
    let functions = recording!(functions, "inbound", stella_inbound::start);
    let functions = recording!(functions, "api", stella_api::start);
    let functions = recording!(functions, "fanout", stella_fanout::start);
    let functions = recording!(functions, "deliver", stella_deliver::start);
    let functions = recording!(functions, "sweep", stella_sweep::start);
    let functions = recording!(functions, "portal", stella_portal::start);
    (functions, environments)
}
