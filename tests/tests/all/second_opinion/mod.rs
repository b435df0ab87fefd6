//! The end-to-end scenario on moto's DynamoDB, SQS and Secrets Manager, which were written independently of
//! our emulated ones. `make second-opinion` starts moto and sets `SECOND_OPINION` to its address.
//!
//! Moto uses the machine's clock, so the stack's clock runs too. The tests only move it ahead, by whole
//! minutes, so that what runs each minute keeps its second.

mod access;
mod inbound;
mod lists;
mod operations;
mod outbound;
mod pulled;
mod refusals;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::Duration;
use end_to_end::{World, conformity, id};
use http::StatusCode;
use sam_local::remote::refusals::{Refusal, Refusals};
use sam_local::{Data, Settings, Time};
use serde_json::Value;
use stella_local::Functions;
use stella_local::client::{Client, Exchange};
use tokio::time::Instant;

/// How long a test waits for one thing: many times what a slow machine takes.
const TIMEOUT: std::time::Duration = std::time::Duration::from_mins(2);
/// How long the whole scenario may take.
const SCENARIO_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(10);
/// How long a test polls before it moves the clock.
const STEP_AFTER: std::time::Duration = std::time::Duration::from_secs(2);
/// The time between two polls.
const POLL_INTERVAL: std::time::Duration = std::time::Duration::from_millis(50);
/// The visibility timeout of the queues: long enough for a function, short enough for a test.
const VISIBILITY_TIMEOUT_SECONDS: u32 = 10;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto: make second-opinion"]
async fn moto_refuses_nothing_that_aws_would_accept() {
    tokio::time::timeout(SCENARIO_TIMEOUT, Box::pin(scenario())).await.expect("the scenario ends in time");
}

async fn scenario() {
    let moto = Moto::new();
    let world = moto.world("scenario", Functions::ours(), VISIBILITY_TIMEOUT_SECONDS).await;
    access::keys_and_sessions(&moto, &world).await;
    inbound::pushes(&world).await;
    outbound::deliveries(&world).await;
    outbound::waits(&world).await;
    pulled::deliveries(&world).await;
    lists::every_one(&world).await;
    moto.end(world).await;
    inbound::queued(&moto).await;
    operations::missed_events(&moto).await;
    operations::dead_letters(&moto).await;
    operations::named_secrets(&moto).await;
    operations::master_key(&moto).await;
    moto.assert_every_operation_was_requested();
    moto.assert_refusals_as_expected();
}

/// The running moto server, and what it refused.
struct Moto {
    endpoint: String,
    requested: RequestedOperations,
    refused: Mutex<Vec<Refusals>>,
}

/// The operations of the API that were requested, as `GET /path`.
type RequestedOperations = Arc<Mutex<BTreeSet<String>>>;

impl Moto {
    fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the endpoint is the caller's choice")]
        let endpoint = std::env::var("SECOND_OPINION").expect("`make second-opinion` sets it");
        Self { endpoint, requested: RequestedOperations::default(), refused: Mutex::default() }
    }

    /// Starts a system on moto, separated from others by its stage.
    async fn world(&self, stage: &str, functions: Functions, visibility_timeout_seconds: u32) -> World {
        self.world_of(stage, functions, visibility_timeout_seconds, Data::Memory).await
    }

    async fn world_of(
        &self,
        stage: &str,
        functions: Functions,
        visibility_timeout_seconds: u32,
        data: Data,
    ) -> World {
        // A low concurrency: moto handles one request at a time.
        let parameters = BTreeMap::from(
            [
                ("Stage", stage),
                ("DeliverConcurrency", "2"),
                ("DeliverBatchSize", "4"),
                ("RetryConcurrency", "2"),
                ("RetryBatchSize", "4"),
                ("RetryWindowSeconds", "1"),
                ("MaxReceiveCount", "5"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let settings = Settings {
            data,
            functions: functions.into(),
            parameters,
            time: Time::ahead(),
            aws_timeout: Some(TIMEOUT),
            template: template(visibility_timeout_seconds),
            aws_endpoint: Some(self.endpoint.clone()),
            ..stella_local::settings()
        };
        let mut world = World::made_of(settings).await;
        self.refused.lock().unwrap().push(world.stack.refusals());
        world.operator = self.witnessed(&world.operator);
        world.admin = self.witnessed(&world.admin);
        world
    }

    /// A client whose exchanges are checked against the OpenAPI document and recorded.
    fn witnessed(&self, client: &Client) -> Client {
        let (requested, check) = (Arc::clone(&self.requested), conformity::witness());
        client.witnessed(Arc::new(move |exchange: &Exchange<'_>| {
            check(exchange);
            requested.lock().unwrap().extend(operation(exchange));
        }))
    }

    /// A client without a key.
    fn anonymous(&self, world: &World) -> Client {
        self.witnessed(&world.anonymous())
    }

    /// Stops a system. The refusals are checked at the end of the scenario.
    async fn end(&self, world: World) {
        world.stack.stop().await;
    }

    /// Every operation of the API was requested, except those that moto cannot serve.
    fn assert_every_operation_was_requested(&self) {
        let requested = self.requested.lock().unwrap();
        let all = stella_api::routes().into_iter().map(|(method, path)| format!("{method} {path}"));
        let left_out: Vec<String> = all.filter(|operation| !requested.contains(operation)).collect();
        assert_eq!(left_out, refusals::NOT_REQUESTED);
    }

    /// Every refusal is in the list of expected ones, and every certain one of the list occurred.
    fn assert_refusals_as_expected(&self) {
        let all: Vec<Refusal> = self.refused.lock().unwrap().iter().flat_map(Refusals::all).collect();
        let unexpected = refusals::unexpected(&all);
        assert!(unexpected.is_empty(), "{unexpected:#?}");
        assert_eq!(refusals::missing(&all), Vec::<&str>::new());
    }
}

impl Drop for Moto {
    /// If the test failed, prints unexpected refusals: one of them is the likely cause.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            let all: Vec<Refusal> = refused.iter().flat_map(Refusals::all).collect();
            eprintln!("refused: {:#?}", refusals::unexpected(&all));
        }
    }
}

/// The operation of the API that a request called, if any.
fn operation(exchange: &Exchange<'_>) -> Option<String> {
    let path = exchange.path.split('?').next()?.strip_prefix("/api/v1")?;
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |route: &str| {
        let places: Vec<&str> = route.split('/').collect();
        let pairs = places.iter().zip(&parts);
        places.len() == parts.len()
            && pairs.into_iter().all(|(place, part)| place == part || place.starts_with('{'))
    };
    let routes = stella_api::routes().into_iter();
    let found = routes.filter(|(method, route)| method == exchange.method && fits(route));
    found
        .min_by_key(|(_, route)| route.matches('{').count())
        .map(|(method, route)| format!("{method} {route}"))
}

/// Our template with another visibility timeout of the queues.
fn template(visibility_timeout_seconds: u32) -> String {
    let line = |line: &str| match line.split_once("VisibilityTimeout: ") {
        Some((indent, _)) => format!("{indent}VisibilityTimeout: {visibility_timeout_seconds}\n"),
        None => format!("{line}\n"),
    };
    stella_local::TEMPLATE.lines().map(line).collect()
}

/// Polls a path until `done` holds for its data; the answer. Moves the clock by `step` now and then.
async fn poll(
    world: &World,
    client: &Client,
    path: &str,
    step: Duration,
    done: impl Fn(&Value) -> bool,
) -> Value {
    let began = Instant::now();
    let mut moved = began;
    loop {
        let answer = client.get(path).await.expect("an answer");
        // On a busy machine moto may exceed the function's timeout.
        if answer.status != StatusCode::SERVICE_UNAVAILABLE {
            assert!(answer.status.is_success(), "{path}: {}", answer.body);
            if done(answer.data()) {
                return answer.body;
            }
        }
        assert!(began.elapsed() < TIMEOUT, "{path} shows {:#}", answer.body);
        if moved.elapsed() > STEP_AFTER {
            world.time.advance(step);
            moved = Instant::now();
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The answer to the admin at a path.
async fn shown(world: &World, path: &str) -> Value {
    poll(world, &world.admin, path, Duration::zero(), |_| true).await
}

/// Polls a path as the admin until `done` holds; its data.
async fn wait_until(world: &World, path: &str, done: impl Fn(&Value) -> bool) -> Value {
    poll(world, &world.admin, path, Duration::zero(), done).await["data"].take()
}

/// As [`wait_until`], while the clock moves ahead by minutes.
async fn wait_minutes_until(world: &World, path: &str, done: impl Fn(&Value) -> bool) -> Value {
    poll(world, &world.admin, path, Duration::minutes(2), done).await["data"].take()
}

/// The rows of a list.
async fn rows(world: &World, path: &str) -> Vec<Value> {
    shown(world, path).await["data"].as_array().expect("rows").clone()
}

/// Waits until `count` deliveries of a subscription have a status; all its deliveries.
async fn deliveries(world: &World, subscription: &Value, status: &str, count: usize) -> Vec<Value> {
    let path = format!("{}/deliveries?pageSize=100", subscription_path(subscription));
    let with_status = |rows: &[Value]| rows.iter().filter(|row| row["status"] == status).count();
    let done = |rows: &Value| rows.as_array().is_some_and(|rows| with_status(rows) == count);
    wait_minutes_until(world, &path, done).await.as_array().cloned().expect("rows")
}

fn subscription_path(subscription: &Value) -> String {
    format!("/api/v1/webhook-subscriptions/{}", id(subscription))
}
