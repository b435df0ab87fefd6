//! The order of pushes over the wire: generated histories of many tags go through one system, with requests
//! that are delayed, repeated, queued while DynamoDB fails, and cut off by crashes. Then each tag and its
//! releases must be what a model computes from the set of pushes.

pub mod history;
pub mod model;
pub mod senders;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::iter;
use history::{History, STEPS};
use http::StatusCode;
use model::{Outcome, Reception};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sam_local::crash_point::CrashInjector;
use sam_local::{Data, Settings, Time};
use senders::{Sender, TAG};
use serde_json::{Value, json};
use stella_local::Functions;

use crate::faults::{Fault, FaultProxy};
use crate::{World, id};

/// The number of requests that are under way at once.
const AT_ONCE: usize = 16;

/// A config: its id and the path of its address, because the port changes when the system starts again.
type Hook = (String, String);

/// The histories that go through one system.
pub struct Run {
    seed: u64,
    histories: Vec<History>,
    began: DateTime<Utc>,
    time: Time,
    hooks: BTreeMap<Sender, Hook>,
    /// The component of each history.
    components: Vec<String>,
    receptions: Mutex<Vec<Reception>>,
}

/// A system, and the proxy through which its `inbound` calls DynamoDB.
pub struct System {
    /// The system.
    pub world: World,
    tables: FaultProxy,
}

impl System {
    /// Starts a system.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(data: Data, time: &Time, crash_injector: CrashInjector) -> Self {
        let made: Arc<Mutex<Option<FaultProxy>>> = Arc::default();
        let slot = Arc::clone(&made);
        let functions = Functions::ours().with("inbound", move |environment| {
            let slot = Arc::clone(&slot);
            async move {
                let proxy = FaultProxy::of(&environment, "AWS_ENDPOINT_URL_DYNAMODB").await?;
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(proxy.clone());
                stella_inbound::start(environment.with("AWS_ENDPOINT_URL_DYNAMODB", &proxy.url)).await
            }
        });
        let (functions, time) = (functions.into(), time.clone());
        let settings = Settings { data, time, functions, crash_injector, ..stella_local::settings() };
        let world = World::made_of(settings).await;
        let tables = made.lock().unwrap_or_else(PoisonError::into_inner).clone().expect("a proxy");
        Self { world, tables }
    }

    /// Decides the fault of each later call of `inbound` to DynamoDB.
    pub fn fail(&self, rule: impl Fn(&str) -> Fault + Send + Sync + 'static) {
        self.tables.fail(rule);
    }
}

impl Run {
    /// Makes the configs and, for each history of the seed with one of these numbers, a component with a
    /// trigger that wants every version.
    pub async fn new(system: &System, seed: u64, numbers: std::ops::Range<usize>) -> Self {
        let world = &system.world;
        let mut hooks = BTreeMap::new();
        for sender in Sender::ALL {
            let config = world.config(&sender.config()).await;
            let url = config["url"].as_str().expect("an address");
            let path = url.strip_prefix(&world.stack.url()).expect("an address of this stack").to_owned();
            hooks.insert(sender, (id(&config), path));
        }
        let histories: Vec<History> = numbers.map(|number| History::generate(seed, number)).collect();
        let mut components = Vec::new();
        for history in &histories {
            let name = &history.name;
            let body = json!({"name": name, "repositories": [format!("org/{name}")],
                "sourceRepositories": [format!("src/{name}")]});
            let component = id(&world.create("/api/v1/components", &body).await);
            let on = if history.is_git { "git.tag" } else { "artifact.pushed" };
            world.trigger(&component, &json!({"name": "all", "on": on})).await;
            components.push(component);
        }
        let time = world.time.clone();
        let (began, receptions) = (time.now(), Mutex::default());
        Self { seed, histories, began, time, hooks, components, receptions }
    }

    /// A random number of a step, below `end`.
    fn random(&self, step: usize, what: u64, end: u32) -> u32 {
        StdRng::seed_from_u64(self.seed ^ ((step as u64) << 32) ^ (what << 48)).random_range(0..end)
    }

    /// Sends the requests of a step that were not answered yet, then advances the clock. DynamoDB fails in
    /// some of the steps. After a crash it is called again.
    pub async fn step(&self, system: &System, step: usize) {
        match self.random(step, 1, 10) {
            0 | 1 => system.tables.fail(|operation| match operation {
                "TransactWriteItems" => Fault::ServerError,
                _ => Fault::None,
            }),
            2 => system.tables.fail(|operation| match operation {
                "TransactWriteItems" => Fault::ResponseLost,
                _ => Fault::None,
            }),
            _ => system.tables.clear_faults(),
        }
        let left = (0..self.histories.len()).filter(|history| self.is_left(*history, step));
        iter(left).for_each_concurrent(AT_ONCE, |history| self.send(&system.world, history, step)).await;
        system.world.stack.idle().await;
        self.time.advance(Duration::seconds(i64::from(1 + self.random(step, 2, 90))));
        system.world.stack.idle().await;
    }

    /// Whether a history has a request in a step that was not answered yet.
    fn is_left(&self, history: usize, step: usize) -> bool {
        let is_answered =
            |one: &Reception| (one.history, one.step) == (history, step) && one.outcome.is_some();
        self.histories[history].requests[step].is_some() && !self.receptions().iter().any(is_answered)
    }

    fn receptions(&self) -> std::sync::MutexGuard<'_, Vec<Reception>> {
        self.receptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request until it is answered 200 or 202; a busy machine may answer 503.
    async fn send(&self, world: &World, number: usize, step: usize) {
        for _ in 0..20 {
            if self.try_to_send(world, number, step).await {
                return;
            }
        }
        panic!("a request is not accepted\n{}", self.shown(number));
    }

    /// Whether a request is answered 200 or 202. Of one that is not, it is not known whether it was
    /// processed.
    async fn try_to_send(&self, world: &World, number: usize, step: usize) -> bool {
        let history = &self.histories[number];
        let request = history.requests[step].as_ref().expect("a request");
        let push = &history.pushes[request.push];
        let (delivery, at) = (request.delivery.clone(), self.time.now());
        let reception = Reception { history: number, step, push: request.push, delivery, at, outcome: None };
        let index = {
            let mut receptions = self.receptions();
            receptions.push(reception);
            receptions.len() - 1
        };
        let url = format!("{}{}", world.stack.url(), self.hooks[&push.sender].1);
        let header = push.sender.delivery_header().map(|name| (name, request.delivery.as_str()));
        let headers: Vec<(&str, &str)> = header.into_iter().collect();
        let answer = world.push_to(&url, &headers, &history.body(push, self.began)).await;
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            return false;
        }
        let was_queued = answer.status == StatusCode::ACCEPTED;
        assert!(was_queued || answer.status == StatusCode::OK, "{}\n{}", answer.body, self.shown(number));
        let receipt = answer.body["receiptId"].as_str().expect("a receipt").to_owned();
        self.receptions()[index].outcome = Some(Outcome { receipt, was_queued, answer: answer.body });
        true
    }

    /// Advances the clock until every queued request is processed, and notes its final answer.
    ///
    /// # Panics
    /// If one is never processed.
    pub async fn drain(&self, system: &System) {
        let world = &system.world;
        system.tables.clear_faults();
        for _ in 0..100 {
            for _ in 0..10 {
                world.stack.idle().await;
                self.time.advance(Duration::seconds(10));
            }
            let queued: Vec<(usize, String)> = self
                .receptions()
                .iter()
                .enumerate()
                .filter_map(|(index, one)| Some((index, self.receipt_path(one)?)))
                .collect();
            if queued.is_empty() {
                return;
            }
            let read = |(index, path): (usize, String)| async move {
                (index, world.read(&path).await["data"]["answer"].take())
            };
            let mut reading = iter(queued).map(read).buffer_unordered(AT_ONCE);
            while let Some((index, answer)) = reading.next().await {
                if let Some(outcome) = &mut self.receptions()[index].outcome {
                    outcome.answer = answer;
                }
            }
        }
        panic!("seed {}: queued requests are not processed", self.seed);
    }

    /// The receipt of a request that is still queued, as far as is known.
    fn receipt_path(&self, reception: &Reception) -> Option<String> {
        let outcome = reception.outcome.as_ref().filter(|outcome| outcome.answer["action"] == "queued")?;
        let sender = self.histories[reception.history].pushes[reception.push].sender;
        Some(format!("/api/v1/webhook-configs/{}/receipts/{}", self.hooks[&sender].0, outcome.receipt))
    }

    /// Sends all requests, and checks every tag; without crashes.
    pub async fn complete(&self, system: &System) {
        for step in 0..STEPS {
            self.step(system, step).await;
        }
        self.drain(system).await;
        self.check(system).await;
    }

    /// Checks every tag and its releases.
    ///
    /// # Panics
    /// If one is not what the model computes.
    pub async fn check(&self, system: &System) {
        let world = &system.world;
        let mut releases: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for release in world.all("/api/v1/releases").await {
            let component = release["components"][0]["id"].as_str().expect("a component").to_owned();
            releases.entry(component).or_default().push(release);
        }
        let receptions = self.receptions().clone();
        for (number, history) in self.histories.iter().enumerate() {
            let component = &self.components[number];
            let versions = world.read(&format!("/api/v1/components/{component}/versions")).await;
            let own: Vec<Reception> =
                receptions.iter().filter(|one| one.history == number).cloned().collect();
            let released = releases.remove(component).unwrap_or_default();
            let version = &versions["data"][0];
            assert_eq!((versions["pagination"]["total"].as_u64(), &version["tag"]), (Some(1), &json!(TAG)));
            let checked = model::check(history, self.began, &own, version, &released);
            assert!(checked.is_ok(), "{}\n{}", checked.unwrap_err(), self.shown(number));
        }
    }

    /// How many requests were queued, and how many were not answered.
    #[must_use]
    pub fn figures(&self) -> (usize, usize) {
        let receptions = self.receptions();
        let queued =
            receptions.iter().filter(|one| one.outcome.as_ref().is_some_and(|outcome| outcome.was_queued));
        (queued.count(), receptions.iter().filter(|one| one.outcome.is_none()).count())
    }

    /// A history, for people.
    fn shown(&self, number: usize) -> String {
        let history = &self.histories[number];
        let mut lines = vec![format!("seed {}, history {}, began {}", self.seed, history.name, self.began)];
        lines.extend((0..STEPS).filter_map(|step| history.line(step)));
        for one in self.receptions().iter().filter(|one| one.history == number) {
            let outcome =
                one.outcome.as_ref().map(|outcome| (outcome.was_queued, outcome.answer.to_string()));
            lines.push(format!("step {} at {}: {outcome:?}", one.step, one.at));
        }
        lines.join("\n")
    }
}
