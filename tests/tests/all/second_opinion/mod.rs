//! The whole story by the real functions on another implementation of DynamoDB, SQS and Secrets Manager than ours:
//! that what we ask of AWS is also what others take it for. `make second-opinion` starts one, and names it in
//! `SECOND_OPINION`.
//!
//! Its clocks are its own, so the stack's time runs too, and is only ever moved ahead, by whole minutes: what is
//! done each minute then goes on at the same second of the machine's.

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
use serde_json::Value;
use stella_local::client::{Client, Exchange};
use stella_local::remote::refusals::{Refusal, Refusals};
use stella_local::stack::{Data, Functions, Settings};
use stella_local::time::Time;
use tokio::time::Instant;

/// How long anything may take: many times what it takes on a slow machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(2);
/// How long all of it may take.
const LONGEST: std::time::Duration = std::time::Duration::from_mins(10);
/// How long it is quiet before time goes by.
const QUIET: std::time::Duration = std::time::Duration::from_secs(2);
/// How often it is asked for.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);
/// How long a queue hides what was received: as long as a function may run, and no longer than a test may wait.
const HIDDEN_SECONDS: u32 = 10;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs another implementation of AWS: make second-opinion"]
async fn moto_refuses_nothing_that_aws_would_accept() {
    tokio::time::timeout(LONGEST, Box::pin(story())).await.expect("it ends in time");
}

async fn story() {
    let opinion = Opinion::new();
    let world = opinion.world("story", Functions::ours(), HIDDEN_SECONDS).await;
    access::keys_and_sessions(&opinion, &world).await;
    inbound::pushes(&world).await;
    outbound::deliveries(&world).await;
    outbound::waits(&world).await;
    pulled::deliveries(&world).await;
    lists::every_one(&world).await;
    opinion.end(world).await;
    inbound::queued(&opinion).await;
    operations::missed_events(&opinion).await;
    operations::dead_letters(&opinion).await;
    operations::named_secrets(&opinion).await;
    operations::master_key(&opinion).await;
    opinion.was_asked_for_everything();
    opinion.refused_what_it_was_to();
}

/// What another implementation thinks of us.
struct Opinion {
    endpoint: String,
    asked: Asked,
    refused: Mutex<Vec<Refusals>>,
}

/// The operations of the API that were asked for, as `GET /path`.
type Asked = Arc<Mutex<BTreeSet<String>>>;

impl Opinion {
    fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "whose opinion it is is the caller's choice")]
        let endpoint = std::env::var("SECOND_OPINION").expect("`make second-opinion` names an endpoint");
        Self { endpoint, asked: Asked::default(), refused: Mutex::default() }
    }

    /// A system on it, apart from others by its stage.
    async fn world(&self, stage: &str, functions: Functions, hidden_seconds: u32) -> World {
        self.world_of(stage, functions, hidden_seconds, Data::Memory).await
    }

    async fn world_of(&self, stage: &str, functions: Functions, hidden_seconds: u32, data: Data) -> World {
        // Few at once: this implementation takes one request at a time.
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
            functions,
            parameters,
            time: Time::ahead(),
            patience: Some(PATIENCE),
            template: template(hidden_seconds),
            aws_endpoint: Some(self.endpoint.clone()),
            ..Settings::default()
        };
        let mut world = World::made_of(settings).await;
        self.refused.lock().unwrap().push(world.stack.refusals());
        world.operator = self.witnessed(&world.operator);
        world.admin = self.witnessed(&world.admin);
        world
    }

    /// A caller whose every request is held to the API's document and noted.
    fn witnessed(&self, client: &Client) -> Client {
        let (asked, document) = (Arc::clone(&self.asked), conformity::witness());
        client.witnessed(Arc::new(move |exchange: &Exchange<'_>| {
            document(exchange);
            asked.lock().unwrap().extend(operation(exchange));
        }))
    }

    /// Somebody without a key.
    fn nobody(&self, world: &World) -> Client {
        self.witnessed(&world.nobody())
    }

    /// Ends a system. What it was refused is looked at in the end.
    async fn end(&self, world: World) {
        world.stack.stop().await;
    }

    /// No operation of the API is left out, but those that this implementation cannot serve.
    fn was_asked_for_everything(&self) {
        let asked = self.asked.lock().unwrap();
        let all = stella_api::routes().into_iter().map(|(method, path)| format!("{method} {path}"));
        let left_out: Vec<String> = all.filter(|operation| !asked.contains(operation)).collect();
        assert_eq!(left_out, refusals::NOT_ASKED_FOR);
    }

    /// Everything that was refused is listed with its reason, and everything that is listed was refused.
    fn refused_what_it_was_to(&self) {
        let all: Vec<Refusal> = self.refused.lock().unwrap().iter().flat_map(Refusals::all).collect();
        let unwanted = refusals::unwanted(&all);
        assert!(unwanted.is_empty(), "{unwanted:#?}");
        assert_eq!(refusals::never_met(&all), Vec::<&str>::new());
    }
}

impl Drop for Opinion {
    /// Where something else failed, a refusal is the likely reason.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            let all: Vec<Refusal> = refused.iter().flat_map(Refusals::all).collect();
            eprintln!("refused: {:#?}", refusals::unwanted(&all));
        }
    }
}

/// The operation of the API that a request was for, if it was for one.
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

/// Our template with queues that hide a message for so long.
fn template(hidden_seconds: u32) -> String {
    let line = |line: &str| match line.split_once("VisibilityTimeout: ") {
        Some((indent, _)) => format!("{indent}VisibilityTimeout: {hidden_seconds}\n"),
        None => format!("{line}\n"),
    };
    Settings::default().template.lines().map(line).collect()
}

/// What a path shows to somebody, once it is as it should be: what follows a request takes a moment. Now and then
/// so much time goes by meanwhile.
async fn watch(
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
        // On a busy machine a request of it may take longer than the function waits.
        if answer.status != StatusCode::SERVICE_UNAVAILABLE {
            assert!(answer.status.is_success(), "{path}: {}", answer.body);
            if done(answer.data()) {
                return answer.body;
            }
        }
        assert!(began.elapsed() < PATIENCE, "{path} shows {:#}", answer.body);
        if moved.elapsed() > QUIET {
            world.time.advance(step);
            moved = Instant::now();
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What a path shows to the admin.
async fn shown(world: &World, path: &str) -> Value {
    watch(world, &world.admin, path, Duration::zero(), |_| true).await
}

/// What a path shows to the admin, once it is as it should be.
async fn becomes(world: &World, path: &str, done: impl Fn(&Value) -> bool) -> Value {
    watch(world, &world.admin, path, Duration::zero(), done).await["data"].take()
}

/// The same, while minutes go by.
async fn becomes_in_minutes(world: &World, path: &str, done: impl Fn(&Value) -> bool) -> Value {
    watch(world, &world.admin, path, Duration::minutes(2), done).await["data"].take()
}

/// The rows of a list.
async fn rows(world: &World, path: &str) -> Vec<Value> {
    shown(world, path).await["data"].as_array().expect("rows").clone()
}

/// The deliveries of a subscription, once so many of them are in a state.
async fn deliveries(world: &World, subscription: &Value, status: &str, count: usize) -> Vec<Value> {
    let path = format!("{}/deliveries?pageSize=100", subscription_path(subscription));
    let in_state = |rows: &[Value]| rows.iter().filter(|row| row["status"] == status).count();
    let done = |rows: &Value| rows.as_array().is_some_and(|rows| in_state(rows) == count);
    becomes_in_minutes(world, &path, done).await.as_array().cloned().expect("rows")
}

fn subscription_path(subscription: &Value) -> String {
    format!("/api/v1/webhook-subscriptions/{}", id(subscription))
}
