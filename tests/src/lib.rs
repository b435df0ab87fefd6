//! The test bench of the end-to-end tests: the whole system in this process, its callers, receivers and
//! faults.

pub mod bill;
pub mod conformity;
pub mod faults;
pub mod load;
pub mod no_op;
pub mod order;
pub mod permissions;
pub mod receiver;
pub mod runtime;
pub mod tables;

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::Duration;
use http::{Method, StatusCode};
use receiver::{Received, Receiver};
use sam_local::{Data, Settings, Stack, Time};
use serde_json::{Value, json};
use stella::clock::{Clock as _, SystemClock};
use stella::environment::Environment;
use stella_local::Functions;
use stella_local::client::{Answer, Client};
use stella_local::{default_tenant, operator_key};

/// The whole system, with the tenant `default`.
pub struct World {
    /// The running stack.
    pub stack: Stack,
    /// Its clock.
    pub time: Time,
    /// A client with the operator key.
    pub operator: Client,
    /// The operator key.
    pub operator_key: String,
    /// A client with an admin key of the tenant `default`.
    pub admin: Client,
    /// That admin key.
    pub key: String,
}

impl World {
    /// The system in memory, with the machine's clock.
    pub async fn start() -> Self {
        Self::of(Data::Memory, Time::system()).await
    }

    /// The system in memory, with a manual clock that starts at this time.
    pub async fn at(time: &str) -> Self {
        let time = Time::manual(time.parse().expect("a time"));
        Self::of(Data::Memory, time).await
    }

    /// The system in memory, with a manual clock that starts now. (Items expire by the machine's clock, and
    /// receivers' libraries check timestamps against it.)
    pub async fn with_manual_clock() -> Self {
        Self::of(Data::Memory, Time::manual(SystemClock.now())).await
    }

    /// The system in memory, with some functions replaced.
    pub async fn with(functions: Functions, time: Time) -> Self {
        Self::made_of(Settings { functions: functions.into(), time, ..stella_local::settings() }).await
    }

    /// The system on this data, with this clock.
    pub async fn of(data: Data, time: Time) -> Self {
        Self::made_of(Settings { data, time, ..stella_local::settings() }).await
    }

    /// The system in memory, with DynamoDB's units counted. Without `sweep`: its first run starts with the
    /// system, and on a slow machine it would still be running, and on the bill, when the test counts.
    pub async fn metered(functions: Functions) -> Self {
        let functions = functions.with("sweep", |_| async { Ok(no_op::NoOp) });
        Self::made_of(Settings { metered: true, functions: functions.into(), ..stella_local::settings() })
            .await
    }

    /// The system with these settings. Subscribers on loopback and plain HTTP are allowed.
    pub async fn made_of(settings: Settings) -> Self {
        let mut parameters = BTreeMap::from([
            ("AllowCidrs".to_owned(), "127.0.0.0/8,::1/128".to_owned()),
            ("AllowHttp".to_owned(), "true".to_owned()),
            // Tests poll, and a manual clock refills no rate limit.
            ("KeyRateLimit".to_owned(), "10000".to_owned()),
        ]);
        parameters.extend(settings.parameters);
        let (data, time) = (settings.data.clone(), settings.time.clone());
        let permissions_record = Some(permissions::record());
        let stack =
            Stack::start(Settings { parameters, permissions_record, ..settings }).await.expect("a stack");
        let operator_key = operator_key(&stack).await.expect("secrets").expect("an operator key");
        let key = default_tenant::key(&stack.url(), &operator_key, &data).await.expect("a tenant key");
        let operator = Client::new(&stack.url(), Some(&operator_key)).witnessed(conformity::witness());
        let admin = operator.with_key(&key);
        Self { stack, time, operator, operator_key, admin, key }
    }

    /// Creates a component with these repositories; its id.
    pub async fn component(&self, repositories: &[&str]) -> String {
        let body = json!({"name": "myapp", "repositories": repositories});
        id(&self.create("/api/v1/components", &body).await)
    }

    /// Creates a trigger of a component; its id.
    pub async fn trigger(&self, component: &str, body: &Value) -> String {
        id(&self.create(&format!("/api/v1/components/{component}/triggers"), body).await)
    }

    /// Creates a webhook config; the answer.
    pub async fn config(&self, body: &Value) -> Value {
        self.create("/api/v1/webhook-configs", body).await
    }

    /// Creates a subscription; the answer.
    pub async fn subscription(&self, body: &Value) -> Value {
        self.create("/api/v1/webhook-subscriptions", body).await
    }

    /// A function's environment with the owner's credentials, which no policy limits.
    #[must_use]
    pub fn unlimited(&self, environment: &Environment) -> Environment {
        let pair = self.stack.owner();
        let environment = environment.clone().with("AWS_ACCESS_KEY_ID", &pair.access_key);
        environment.with("AWS_SECRET_ACCESS_KEY", &pair.secret)
    }

    /// A client without a key.
    #[must_use]
    pub fn anonymous(&self) -> Client {
        Client::new(&self.stack.url(), None).witnessed(conformity::witness())
    }

    /// An admin of a second, empty tenant.
    pub async fn stranger(&self) -> Client {
        let made = self.operator.post("/api/v1/tenants", &json!({"name": "other"})).await.expect("an answer");
        let path = format!("/api/v1/tenants/{}/api-keys", id(made.data()));
        let key = json!({"name": "k", "role": "admin"});
        let key = self.operator.post(&path, &key).await.expect("an answer");
        self.admin.with_key(key.data()["key"].as_str().expect("a key"))
    }

    /// Publishes an event with the example data of its type; its id.
    pub async fn publish(&self, event: &str) -> String {
        let body = json!({"event": event, "data": self.example(event)});
        let mut answer = self.post("/api/v1/events", &body).await;
        // A busy table is answered 503 on a slow machine, as a publisher has to expect.
        for _ in 0..10 {
            if answer.status != StatusCode::SERVICE_UNAVAILABLE {
                break;
            }
            answer = self.post("/api/v1/events", &body).await;
        }
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        id(answer.data())
    }

    /// The example data of an event type.
    #[must_use]
    pub fn example(&self, event: &str) -> Value {
        event.parse::<stella::domain::outbound::event_type::EventType>().expect("an event type").example()
    }

    /// Creates a webhook config for Docker Hub.
    pub async fn docker_hub(&self) -> Value {
        self.config(&json!({"name": "hub", "type": "registry-push", "provider": "dockerhub"})).await
    }

    /// Posts as the admin and expects 201; the created resource.
    pub async fn create(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(path, body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.data().clone()
    }

    /// Posts as the admin.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.admin.post(path, body).await.expect("an answer")
    }

    /// Gets as the admin and expects 200; the body.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.admin.get(path).await.expect("an answer");
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    /// Posts as a sender: to a config's address, without an API key.
    pub async fn push(&self, config: &Value, headers: &[(&str, &str)], body: &str) -> Answer {
        let url = config["url"].as_str().expect("an address");
        self.push_to(url, headers, body).await
    }

    /// Posts as a sender to any address of the stack.
    pub async fn push_to(&self, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let base = self.stack.url();
        let path = url.strip_prefix(&base).expect("an address of this stack");
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.anonymous().send(Method::POST, path, &all, body.to_owned().into()).await.expect("an answer")
    }

    /// Advances a manual clock by `wait`, then in steps until a receiver has received `count` requests in
    /// all. It first waits until the functions are idle: a message that is sent after the clock has moved is
    /// due later by as much.
    pub async fn pass(&self, wait: Duration, receiver: &Receiver, count: usize) -> Vec<Received> {
        self.idle().await;
        self.time.advance(wait);
        for _ in 0..100 {
            if receiver.has(count).await {
                return receiver.received();
            }
            self.time.advance(Duration::seconds(5));
        }
        panic!("{} of {count} requests were received", receiver.received().len());
    }

    /// Waits until no function runs, for 5 seconds at most.
    async fn idle(&self) {
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), self.stack.idle()).await;
    }

    /// Advances a manual clock in steps until `done` holds for the rows of a subscription's delivery log.
    pub async fn pass_until(
        &self,
        step: Duration,
        subscription: &Value,
        done: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        let path = format!("/api/v1/webhook-subscriptions/{}/deliveries?pageSize=100", id(subscription));
        for _ in 0..1_000 {
            let rows = self.get(&path).await["data"].as_array().cloned().unwrap_or_default();
            if done(&rows) {
                return rows;
            }
            self.idle().await;
            self.time.advance(step);
        }
        panic!("the rows of {path} do not become as expected");
    }

    /// Waits until `done` holds for the rows of a subscription's delivery log; the rows.
    pub async fn deliveries(&self, subscription: &Value, done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let path = format!("/api/v1/webhook-subscriptions/{}/deliveries?pageSize=100", id(subscription));
        self.rows(&path, done).await
    }

    /// Waits until `done` holds for the rows of a list; the rows.
    pub async fn rows(&self, path: &str, done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let rows = |data: &Value| data.as_array().cloned().unwrap_or_default();
        rows(&self.eventually(path, |data| done(&rows(data))).await)
    }

    /// As [`Self::get`]; repeats the request if a busy machine answers 503.
    pub async fn read(&self, path: &str) -> Value {
        for _ in 0..20 {
            let answer = self.admin.get(path).await.expect("an answer");
            if answer.status == StatusCode::OK {
                return answer.body;
            }
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
        }
        panic!("{path} cannot be read");
    }

    /// All rows of a list.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.read(&format!("{path}?pageSize=100{cursor}")).await;
            rows.extend(page["data"].as_array().cloned().unwrap_or_default());
            match page["pagination"]["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return rows,
            }
        }
    }

    /// Polls a path until `done` holds for the `data` of its answer; that data. The effects of a request may
    /// follow it with a delay.
    ///
    /// # Panics
    /// If `done` does not hold within a minute.
    pub async fn eventually(&self, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        let mut data = Value::Null;
        let polling = async {
            loop {
                data = self.get(path).await["data"].take();
                if done(&data) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(std::time::Duration::from_mins(1), polling).await.is_ok();
        assert!(in_time, "{path} does not become as expected: {data:#}");
        data
    }
}

/// Cargo's output folder of this test's profile.
#[must_use]
pub fn profile_folder() -> PathBuf {
    let binary = std::env::current_exe().expect("a path");
    let folder = binary.parent().expect("a folder");
    if folder.ends_with("deps") { folder.parent().expect("a folder").to_owned() } else { folder.to_owned() }
}

/// The `id` of a resource in an answer.
#[must_use]
pub fn id(shown: &Value) -> String {
    shown["id"].as_str().expect("an id").to_owned()
}

/// The body of a Docker Hub push.
#[must_use]
pub fn docker_hub_push(tag: &str, pushed_at: i64) -> String {
    json!({
        "push_data": {"tag": tag, "pushed_at": pushed_at, "pusher": "somebody"},
        "repository": {"name": "myapp", "namespace": "myorg", "repo_name": "myorg/myapp",
            "repo_url": "https://hub.docker.com/r/myorg/myapp"},
    })
    .to_string()
}

/// The body of a Harbor push.
#[must_use]
pub fn harbor_push(tag: &str, digest: &str, occur_at: i64) -> String {
    json!({
        "type": "PUSH_ARTIFACT", "occur_at": occur_at, "operator": "admin",
        "event_data": {
            "repository": {"name": "myapp", "namespace": "myorg", "repo_full_name": "myorg/myapp"},
            "resources": [{"digest": digest, "tag": tag,
                "resource_url": format!("harbor.example.com/myorg/myapp:{tag}")}],
        },
    })
    .to_string()
}

/// A digest made of one repeated hex digit.
#[must_use]
pub fn digest(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}
