//! Crashes of the process before and after each effect. It is started again, and callers repeat unanswered
//! requests: nothing is lost or created twice, and a repeated delivery keeps its id.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use chrono::Duration;
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::{World, docker_hub_push, id};
use http::{Method, StatusCode};
use sam_local::crash_point::{CrashInjector, CrashPoint, Effect, When};
use sam_local::{Data, Settings, Time};
use serde_json::{Value, json};
use stella::clock::{Clock as _, SystemClock};
use stella::domain::shared::time::timestamp;
use tokio::runtime::{Handle, Runtime};

use super::ALONE;

/// The number of systems that run at once.
const AT_ONCE: usize = 4;

/// The delay between attempts, in seconds: longer than the maximum delay of a queue.
const TWO_HOURS: u32 = 7_200;

/// The resources and receivers of the scenario, set up before the crash.
struct Setup {
    /// The path of the webhook config's address; the port changes.
    hook: String,
    component: String,
    /// Fails once, and gets the retry two hours later.
    slow: (Receiver, String),
    /// Answers 400 once, which is final, and is recovered.
    refusing: (Receiver, String),
    /// Fails once, and is disabled and enabled while the retry waits.
    paused: (Receiver, String),
    /// Answers 410, which disables the subscription.
    gone: (Receiver, String),
    /// Fails, and is deleted while its deliveries wait.
    deleted: (Receiver, String),
}

impl Setup {
    async fn new(world: &World, outside: &Handle) -> Self {
        let component = world.component(&["myorg/myapp"]).await;
        world.trigger(&component, &json!({"name": "all", "on": "artifact.pushed"})).await;
        let subscribe = async |first: u16, then: u16, events: Value| {
            let script = move |number, _: &_| Reply::from(if number == 0 { first } else { then });
            let receiver = outside.spawn(Receiver::start(script)).await.unwrap();
            let policy = json!({"maxRetries": 3, "backoffType": "fixed", "backoffSeconds": TWO_HOURS,
                "maxBackoffSeconds": TWO_HOURS});
            let body = json!({"name": "s", "url": receiver.url, "events": events, "retryPolicy": policy});
            let subscription = id(&world.subscription(&body).await);
            (receiver, subscription)
        };
        let config = world.docker_hub().await;
        let hook = config["url"].as_str().unwrap().strip_prefix(&world.stack.url()).unwrap().to_owned();
        let created = || json!(["release.created"]);
        Self {
            hook,
            component,
            slow: subscribe(500, 200, json!(["release.created", "deployment.completed"])).await,
            refusing: subscribe(400, 200, created()).await,
            paused: subscribe(500, 200, created()).await,
            gone: subscribe(410, 410, created()).await,
            deleted: subscribe(500, 500, created()).await,
        }
    }
}

/// Repeats an idempotent request until it succeeds.
async fn repeat(world: &World, method: &Method, path: &str, key: &str, body: &Value) -> Value {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    for _ in 0..200 {
        let body = if method == Method::DELETE { String::new() } else { body.to_string() };
        let answer = world.admin.send(method.clone(), path, &headers, body.into()).await.expect("an answer");
        let is_gone = method == Method::DELETE && answer.status == StatusCode::NOT_FOUND;
        if answer.status.is_success() || is_gone {
            return answer.body;
        }
        assert!(answer.status == StatusCode::CONFLICT || answer.status.is_server_error(), "{}", answer.body);
        // The idempotency key of a crashed request is free again after a minute.
        world.time.advance(Duration::seconds(10));
    }
    panic!("{method} {path} never succeeded");
}

/// All requests of the callers. They are idempotent, so that they can be repeated from the beginning.
async fn send_requests(world: &World, setup: &Setup, began: &str) {
    let push = docker_hub_push("v1.0.0", 1_704_067_200);
    let hook = format!("{}{}", world.stack.url(), setup.hook);
    while !world.push_to(&hook, &[], &push).await.status.is_success() {}
    let event = json!({"event": "deployment.completed", "data": world.example("deployment.completed")});
    repeat(world, &Method::POST, "/api/v1/events", "e", &event).await;
    for (receiver, _) in [&setup.slow, &setup.refusing, &setup.paused, &setup.gone, &setup.deleted] {
        until(world, async || receiver.has(1).await).await;
    }
    let path = |subscription: &str| format!("/api/v1/webhook-subscriptions/{subscription}");
    repeat(world, &Method::PATCH, &path(&setup.paused.1), "d", &json!({"enabled": false})).await;
    repeat(world, &Method::DELETE, &path(&setup.deleted.1), "x", &Value::Null).await;
    until(world, async || rows(world, &setup.refusing.1).await.iter().any(|row| row["status"] != "pending"))
        .await;
    let recover = format!("{}/recover", path(&setup.refusing.1));
    repeat(world, &Method::POST, &recover, "r", &json!({"from": began})).await;
    repeat(world, &Method::PATCH, &path(&setup.paused.1), "n", &json!({"enabled": true})).await;
}

/// Moves the clock until `is_so`: first by seconds, for what follows at once, then by minutes.
async fn until(world: &World, is_so: impl AsyncFn() -> bool) {
    for step in 0..400 {
        if is_so().await {
            return;
        }
        world.stack.idle().await;
        world.time.advance(if step < 30 { Duration::seconds(1) } else { Duration::minutes(10) });
    }
    panic!("the condition never held");
}

async fn rows(world: &World, subscription: &str) -> Vec<Value> {
    let path = format!("/api/v1/webhook-subscriptions/{subscription}/deliveries");
    world.get(&path).await["data"].as_array().unwrap().clone()
}

/// Whether everything is as it would be without a crash.
async fn is_settled(world: &World, setup: &Setup) -> bool {
    let open =
        setup.deleted.0.received().into_iter().map(|request| request.header("x-stella-delivery").to_owned());
    for delivery in open.collect::<BTreeSet<String>>() {
        let shown = world.get(&format!("/api/v1/deliveries/{delivery}")).await;
        if shown["data"]["status"] != "cancelled" {
            return false;
        }
    }
    let all = async |subscription: &str, count: usize, status: &str| {
        let rows = rows(world, subscription).await;
        rows.len() == count && rows.iter().all(|row| row["status"] == status)
    };
    let gone = format!("/api/v1/webhook-subscriptions/{}", setup.gone.1);
    all(&setup.slow.1, 2, "delivered").await
        && all(&setup.refusing.1, 1, "delivered").await
        && all(&setup.paused.1, 1, "delivered").await
        && all(&setup.gone.1, 1, "failed").await
        && world.get(&gone).await["data"]["enabled"] == false
}

/// Asserts that nothing was lost or created twice.
async fn check(world: &World, setup: &Setup, point: &str) {
    let total = async |path: &str| world.get(path).await["pagination"]["total"].clone();
    assert_eq!(total("/api/v1/releases").await, 1, "{point}");
    assert_eq!(total(&format!("/api/v1/components/{}/versions", setup.component)).await, 1, "{point}");
    assert_eq!(total("/api/v1/events").await, 2, "{point}");
    let dead = world.operator.get("/api/v1/dead-letters").await.unwrap();
    assert_eq!(dead.data()["approximateMessages"], 0, "{point}: {}", dead.body);
    for ((receiver, _), deliveries, attempts) in [
        (&setup.slow, 2, 3),
        (&setup.refusing, 1, 2),
        (&setup.paused, 1, 2),
        (&setup.gone, 1, 1),
        (&setup.deleted, 1, 1),
    ] {
        let received = receiver.received();
        let ids: BTreeSet<&str> =
            received.iter().map(|request| request.header("x-stella-delivery")).collect();
        assert_eq!(ids.len(), deliveries, "{point}: each delivery has one id");
        // All functions crashed at once. An attempt under way is repeated, and so is one whose message was
        // sent by a fan-out that could not write its mark.
        let made: Vec<String> = received
            .iter()
            .map(|request| {
                let (event, attempt) = (request.header("x-stella-event"), request.header("x-stella-attempt"));
                format!("{event} {attempt} {}", request.header("x-stella-timestamp"))
            })
            .collect();
        assert!(made.len() <= attempts + 2, "{point}: {made:#?}");
        for delivery in ids {
            let shown = world.get(&format!("/api/v1/deliveries/{delivery}")).await;
            let status = shown["data"]["status"].as_str().unwrap();
            assert!(["delivered", "failed", "cancelled"].contains(&status), "{point}: {shown}");
        }
    }
}

async fn start(folder: &Path, time: &Time, crash_injector: CrashInjector) -> World {
    let (data, time) = (Data::Folder(folder.to_owned()), time.clone());
    World::made_of(Settings { data, time, crash_injector, ..stella_local::settings() }).await
}

/// Sends all requests and waits until their consequences are complete.
async fn scenario(world: &World, setup: &Setup, began: &str) {
    send_requests(world, setup, began).await;
    until(world, async || is_settled(world, setup).await).await;
}

fn process() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs the scenario with a crash at one point, then again on the same data; the effects of the first run,
/// and whether it crashed.
fn run_with_crash(at: u64, when: When) -> (Vec<String>, bool) {
    let outside = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (time, crash_injector) = (Time::manual(SystemClock.now()), CrashInjector::default());
    let began = timestamp(time.now());
    // Dropping the runtime ends all its tasks, as a crash ends a process.
    let setup = process().block_on(async {
        let world = start(folder.path(), &time, crash_injector.clone()).await;
        let setup = Setup::new(&world, outside.handle()).await;
        crash_injector.arm(CrashPoint { when, effect: Effect::Number(at) });
        tokio::select! {
            () = scenario(&world, &setup, &began) => {}
            () = crash_injector.crashed() => {}
        }
        setup
    });
    let effects = crash_injector.effects();
    let effect = usize::try_from(at - 1).ok().and_then(|at| effects.get(at));
    let point = format!("{when:?} {} (number {at})", effect.map_or("the end", String::as_str));
    process().block_on(async {
        let world = start(folder.path(), &time, CrashInjector::default()).await;
        scenario(&world, &setup, &began).await;
        check(&world, &setup, &point).await;
    });
    (effects, crash_injector.has_crashed())
}

#[test]
fn a_crash_at_any_point_loses_nothing_and_creates_nothing_twice() {
    let _alone = ALONE.blocking_lock();
    let (effects, _) = run_with_crash(u64::MAX, When::After);
    let points = u64::try_from(effects.len()).unwrap();
    let (points, crashed_at) = (AtomicU64::new(2 * points), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        for _ in 0..AT_ONCE {
            threads.spawn(|| {
                let next = || points.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).ok();
                while let Some(point) = next() {
                    let (at, when) =
                        (point.div_ceil(2), if point % 2 == 0 { When::Before } else { When::After });
                    let (effects, crashed) = run_with_crash(at, when);
                    if crashed {
                        let effect = &effects[usize::try_from(at).unwrap() - 1];
                        crashed_at.lock().unwrap().push(format!("{when:?} {effect}"));
                    }
                }
            });
        }
    });
    let crashed_at = crashed_at.into_inner().unwrap();
    let kinds: BTreeSet<&String> = crashed_at.iter().collect();
    println!("{} crashes, at {} kinds of points: {kinds:#?}", crashed_at.len(), kinds.len());
    for function in ["InboundFunction", "ApiFunction", "FanoutFunction", "DeliverFunction", "SweepFunction"] {
        assert!(kinds.iter().any(|kind| kind.contains(function)), "{function} never crashed");
    }
}
