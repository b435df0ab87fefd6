//! Lambda's runtime API and extensions API on loopback, and a function's binary under them
//! (docs.aws.amazon.com, "Using the Lambda runtime API for custom runtimes", "Using the Lambda Extensions API").

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
use stella_local::stack::Functions;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex as Turn, Notify, mpsc, watch};

/// How long a process may take for anything, before a test fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the process said: the answer to an event, or why there is none.
type Said = Result<Value, Value>;

struct Shared {
    events: Turn<mpsc::Receiver<String>>,
    said: mpsc::Sender<Said>,
    ready: watch::Sender<Option<Instant>>,
    ended: Notify,
}

/// A function's binary in a process of its own, which asks this process for its events.
pub struct Runtime {
    events: mpsc::Sender<String>,
    said: mpsc::Receiver<Said>,
    ready: watch::Receiver<Option<Instant>>,
    started: Instant,
    process: Child,
}

impl Runtime {
    /// Starts a binary of this workspace with these variables and those that Lambda gives.
    pub async fn start(binary: &str, variables: &BTreeMap<String, String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of loopback");
        let address = listener.local_addr().expect("an address");
        let (events, next) = mpsc::channel(1);
        let (saying, said) = mpsc::channel(1);
        let (ready, becoming) = watch::channel(None);
        let shared = Shared { events: Turn::new(next), said: saying, ready, ended: Notify::new() };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next_event))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answered))
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
            // What is to fail fails at once; what is to succeed may take its time on a busy machine.
            .env("LOCAL_TIMEOUT_MS", "30000")
            .env("AWS_LAMBDA_FUNCTION_NAME", binary)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
            // As the template's ApplicationLogLevel has it.
            .env("AWS_LAMBDA_LOG_LEVEL", "TRACE")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        Self { events, said, ready: becoming, started, process }
    }

    /// How long it took from the start of the process until it asked for its first event.
    pub async fn init(&mut self) -> Duration {
        let ready = tokio::time::timeout(PATIENCE, self.ready.wait_for(Option::is_some)).await;
        let at = ready.expect("the function starts").expect("the endpoint runs");
        at.expect("a moment").duration_since(self.started)
    }

    /// Its answer to one event.
    ///
    /// # Errors
    /// What it says of an error.
    pub async fn invoke(&mut self, event: &str) -> Said {
        self.events.send(event.to_owned()).await.expect("the endpoint runs");
        tokio::time::timeout(PATIENCE, self.said.recv()).await.expect("an answer").expect("the endpoint runs")
    }

    /// How it ended by itself.
    pub async fn ended(self) -> Output {
        let output = tokio::time::timeout(PATIENCE, self.process.wait_with_output()).await;
        output.expect("the process ends").expect("its output")
    }

    /// Tells the process that it is to end, as Lambda tells one that has an extension, and waits until it has.
    pub async fn shut_down(self) -> Output {
        let id = self.process.id().expect("a process that runs").to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().await.expect("a signal");
        assert!(told.success());
        self.ended().await
    }

    /// Ends the process; what it has printed.
    pub async fn end(mut self) -> String {
        self.process.start_kill().expect("a process that runs");
        let output = self.process.wait_with_output().await.expect("its output");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Where cargo puts a binary.
fn path_of(binary: &str) -> PathBuf {
    crate::profile_folder().join(binary)
}

async fn next_event(State(shared): State<Arc<Shared>>) -> Response {
    shared.ready.send_if_modified(|ready| ready.is_none() && ready.replace(Instant::now()).is_none());
    let Some(event) = shared.events.lock().await.recv().await else {
        // Nobody will ask any more, and the process is about to be ended.
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

async fn answered(State(shared): State<Arc<Shared>>, Path(_): Path<String>, body: String) -> StatusCode {
    say(&shared, Ok(serde_json::from_str(&body).expect("an answer is JSON"))).await
}

async fn failed(State(shared): State<Arc<Shared>>, body: String) -> StatusCode {
    say(&shared, Err(serde_json::from_str(&body).expect("an error is JSON"))).await
}

async fn say(shared: &Shared, said: Said) -> StatusCode {
    // Who does not listen has gone.
    let _ = shared.said.send(said).await;
    StatusCode::ACCEPTED
}

/// What each function of a stack is given, by its logical id.
pub type Given = Arc<Mutex<BTreeMap<String, Environment>>>;

/// The variables that a function is given, by its logical id.
///
/// # Panics
/// Where the stack has no such function.
#[must_use]
pub fn variables(given: &Given, function: &str) -> BTreeMap<String, String> {
    given.lock().unwrap_or_else(PoisonError::into_inner)[function].variables().clone()
}

/// The lines that are JSON among what a function printed.
#[must_use]
pub fn lines(printed: &str) -> Vec<Value> {
    printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The lines of metrics among what a function printed.
#[must_use]
pub fn metrics(printed: &str) -> Vec<Value> {
    lines(printed).into_iter().filter(|line| line.get("_aws").is_some()).collect()
}

/// Our functions, with a note of what each is given.
#[must_use]
pub fn observed() -> (Functions, Given) {
    let given = Given::default();
    macro_rules! observing {
        ($functions:expr, $code:literal, $start:path) => {{
            let given = Arc::clone(&given);
            $functions.with($code, move |environment: Environment| {
                let id = environment.variables()["AWS_ACCESS_KEY_ID"].clone();
                given.lock().unwrap_or_else(PoisonError::into_inner).insert(id, environment.clone());
                $start(environment)
            })
        }};
    }
    let functions = Functions::ours();
    let functions = observing!(functions, "inbound", stella_inbound::start);
    let functions = observing!(functions, "api", stella_api::start);
    let functions = observing!(functions, "fanout", stella_fanout::start);
    let functions = observing!(functions, "deliver", stella_deliver::start);
    let functions = observing!(functions, "sweep", stella_sweep::start);
    let functions = observing!(functions, "portal", stella_portal::start);
    (functions, given)
}
