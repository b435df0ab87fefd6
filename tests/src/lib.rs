//! What the end-to-end tests share: the whole system in this process, callers of it, and a subscriber.

pub mod bill;
pub mod careless;
pub mod conformity;
pub mod faults;
pub mod load;
pub mod permissions;
pub mod receiver;
pub mod runtime;
pub mod tables;

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::Duration;
use http::{Method, StatusCode};
use receiver::{Received, Receiver};
use serde_json::{Value, json};
use stella::clock::{Clock as _, SystemClock};
use stella::environment::Environment;
use stella_local::client::{Answer, Client};
use stella_local::default_tenant;
use stella_local::stack::{Data, Functions, Settings, Stack};
use stella_local::time::Time;

/// The whole system, with the tenant `default`.
pub struct World {
    /// The running stack.
    pub stack: Stack,
    /// Its time.
    pub time: Time,
    /// Its operator.
    pub operator: Client,
    /// An admin of the tenant `default`.
    pub admin: Client,
    /// That admin's key.
    pub key: String,
}

impl World {
    /// The system in memory, by the machine's time.
    pub async fn start() -> Self {
        Self::of(Data::Memory, Time::system()).await
    }

    /// The system in memory, by a time that stands still until it is advanced.
    pub async fn at(time: &str) -> Self {
        let time = Time::manual(time.parse().expect("a time"));
        Self::of(Data::Memory, time).await
    }

    /// The system in memory, by a time that begins now and stands still until it is advanced: what expires is
    /// deleted by the machine's clock, and receivers' libraries look at it.
    pub async fn held() -> Self {
        Self::of(Data::Memory, Time::manual(SystemClock.now())).await
    }

    /// The system in memory, with other code for some functions.
    pub async fn with(functions: Functions, time: Time) -> Self {
        Self::made_of(Settings { functions, time, ..Settings::default() }).await
    }

    /// The system on some data, by some time.
    pub async fn of(data: Data, time: Time) -> Self {
        Self::made_of(Settings { data, time, ..Settings::default() }).await
    }

    /// The system in memory, which adds up what DynamoDB would charge. Nothing is swept: the first sweep starts with
    /// the system, and on a slow machine it would still be running, and on the bill, when the test counts.
    pub async fn metered(functions: Functions) -> Self {
        let functions = functions.with("sweep", |_| async { Ok(careless::Careless) });
        Self::made_of(Settings { metered: true, functions, ..Settings::default() }).await
    }

    /// The system as these settings say. Loopback and plain http are allowed.
    pub async fn made_of(settings: Settings) -> Self {
        let mut parameters = BTreeMap::from([
            ("AllowCidrs".to_owned(), "127.0.0.0/8,::1/128".to_owned()),
            ("AllowHttp".to_owned(), "true".to_owned()),
            // Tests ask until something is so, by a clock that may stand still.
            ("KeyRateLimit".to_owned(), "10000".to_owned()),
        ]);
        parameters.extend(settings.parameters);
        let (data, time) = (settings.data.clone(), settings.time.clone());
        let permissions_record = Some(permissions::record());
        let stack =
            Stack::start(Settings { parameters, permissions_record, ..settings }).await.expect("a stack");
        let operator_key = stack.operator_key().expect("an operator key").to_owned();
        let key = default_tenant::key(&stack.url(), &operator_key, &data).await.expect("a tenant key");
        let operator = Client::new(&stack.url(), Some(&operator_key)).witnessed(conformity::witness());
        let admin = operator.with_key(&key);
        Self { stack, time, operator, admin, key }
    }

    /// A component with these repositories; its id.
    pub async fn component(&self, repositories: &[&str]) -> String {
        let body = json!({"name": "myapp", "repositories": repositories});
        id(&self.made("/api/v1/components", &body).await)
    }

    /// A trigger of a component; its id.
    pub async fn trigger(&self, component: &str, body: &Value) -> String {
        id(&self.made(&format!("/api/v1/components/{component}/triggers"), body).await)
    }

    /// A webhook config as its creation shows it.
    pub async fn config(&self, body: &Value) -> Value {
        self.made("/api/v1/webhook-configs", body).await
    }

    /// A subscription as its creation shows it.
    pub async fn subscription(&self, body: &Value) -> Value {
        self.made("/api/v1/webhook-subscriptions", body).await
    }

    /// What a function is given, for a caller of AWS whom no policy limits.
    #[must_use]
    pub fn unlimited(&self, environment: &Environment) -> Environment {
        let pair = self.stack.owner();
        let environment = environment.clone().with("AWS_ACCESS_KEY_ID", &pair.access_key);
        environment.with("AWS_SECRET_ACCESS_KEY", &pair.secret)
    }

    /// Somebody without a key.
    #[must_use]
    pub fn nobody(&self) -> Client {
        Client::new(&self.stack.url(), None).witnessed(conformity::witness())
    }

    /// An admin of another tenant, which has nothing.
    pub async fn stranger(&self) -> Client {
        let made = self.operator.post("/api/v1/tenants", &json!({"name": "other"})).await.expect("an answer");
        let path = format!("/api/v1/tenants/{}/api-keys", id(made.data()));
        let key = json!({"name": "k", "role": "admin"});
        let key = self.operator.post(&path, &key).await.expect("an answer");
        self.admin.with_key(key.data()["key"].as_str().expect("a key"))
    }

    /// Publishes an event of a type, with its example as data; its id.
    pub async fn publish(&self, event: &str) -> String {
        let data = self.example(event);
        let answer = self.post("/api/v1/events", &json!({"event": event, "data": data})).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        id(answer.data())
    }

    /// The example of an event type.
    #[must_use]
    pub fn example(&self, event: &str) -> Value {
        event.parse::<stella::domain::outbound::event_type::EventType>().expect("an event type").example()
    }

    /// A webhook config for Docker Hub.
    pub async fn docker_hub(&self) -> Value {
        self.config(&json!({"name": "hub", "type": "registry-push", "provider": "dockerhub"})).await
    }

    /// Posts as the admin what must be made; what was made.
    pub async fn made(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(path, body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.data().clone()
    }

    /// Posts as the admin.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.admin.post(path, body).await.expect("an answer")
    }

    /// Gets as the admin what must be there.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.admin.get(path).await.expect("an answer");
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    /// Posts as a sender does: to a config's address, without a key of ours.
    pub async fn push(&self, config: &Value, headers: &[(&str, &str)], body: &str) -> Answer {
        let url = config["url"].as_str().expect("an address");
        self.push_to(url, headers, body).await
    }

    /// Posts as a sender does, to any address of the stack.
    pub async fn push_to(&self, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let base = self.stack.url();
        let path = url.strip_prefix(&base).expect("an address of this stack");
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.nobody().send(Method::POST, path, &all, body.to_owned().into()).await.expect("an answer")
    }

    /// Lets a held time go by, at least `wait`, until a receiver has got this many requests in all. What was
    /// on its way to a queue when the time moved comes later by as much, so nothing is to be, and the time
    /// moves on in steps.
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

    /// Returns when no function runs, or will not end.
    async fn idle(&self) {
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), self.stack.idle()).await;
    }

    /// Lets a held time go by in steps until the rows of a subscription's delivery log are as `done` wants.
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
        panic!("the rows of {path} never became what they should");
    }

    /// The rows of a subscription's delivery log, once `done` is content with them.
    pub async fn deliveries(&self, subscription: &Value, done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let path = format!("/api/v1/webhook-subscriptions/{}/deliveries?pageSize=100", id(subscription));
        self.rows(&path, done).await
    }

    /// The rows of a list, once they satisfy `done`.
    pub async fn rows(&self, path: &str, done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let rows = |data: &Value| data.as_array().cloned().unwrap_or_default();
        rows(&self.eventually(path, |data| done(&rows(data))).await)
    }

    /// The `data` of what a path answers, once it satisfies `done`: what follows a request takes a moment.
    ///
    /// # Panics
    /// When it does not within a minute.
    pub async fn eventually(&self, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        let mut data = Value::Null;
        let asking = async {
            loop {
                data = self.get(path).await["data"].take();
                if done(&data) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(std::time::Duration::from_secs(60), asking).await.is_err() {
            panic!("{path} never became what it should: {data:#}");
        }
        data
    }
}

/// Cargo's folder for what is built and made with this test's profile.
#[must_use]
pub fn profile_folder() -> PathBuf {
    let binary = std::env::current_exe().expect("a path");
    let folder = binary.parent().expect("a folder");
    if folder.ends_with("deps") { folder.parent().expect("a folder").to_owned() } else { folder.to_owned() }
}

/// The id of what an answer shows.
#[must_use]
pub fn id(shown: &Value) -> String {
    shown["id"].as_str().expect("an id").to_owned()
}

/// A Docker Hub push.
#[must_use]
pub fn docker_hub_push(tag: &str, pushed_at: i64) -> String {
    json!({
        "push_data": {"tag": tag, "pushed_at": pushed_at, "pusher": "somebody"},
        "repository": {"name": "myapp", "namespace": "myorg", "repo_name": "myorg/myapp",
            "repo_url": "https://hub.docker.com/r/myorg/myapp"},
    })
    .to_string()
}

/// A Harbor push.
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

/// A digest of one repeated hex digit.
#[must_use]
pub fn digest(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}
