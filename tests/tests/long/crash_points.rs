//! The process dies between any two effects, is started again, and its callers repeat what was not answered: nothing
//! is lost, nothing is made twice, and what comes twice has one id.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use chrono::Duration;
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::{World, docker_hub_push, id};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use stella::clock::{Clock as _, SystemClock};
use stella::domain::shared::time::timestamp;
use stella_local::dying::{Dying, Effect, Point, Side};
use stella_local::stack::{Data, Settings};
use stella_local::time::Time;
use tokio::runtime::{Handle, Runtime};

use super::ALONE;

/// How many processes live at once.
const AT_ONCE: usize = 4;

/// How long the longest wait between attempts is here: longer than a queue can wait.
const TWO_HOURS: u32 = 7_200;

/// Who receives, and what was set up for them before anything dies.
struct Cast {
    /// Where pushes go, on whichever port.
    hook: String,
    component: String,
    /// It fails once, and gets it again in two hours.
    slow: (Receiver, String),
    /// It refuses once, which is final, and is recovered.
    refusing: (Receiver, String),
    /// It fails once, and is disabled and enabled while it waits.
    paused: (Receiver, String),
    /// It is gone, which disables it.
    gone: (Receiver, String),
    /// It fails, and is deleted while its deliveries wait.
    deleted: (Receiver, String),
}

impl Cast {
    async fn new(world: &World, outside: &Handle) -> Self {
        let component = world.component(&["myorg/myapp"]).await;
        world.trigger(&component, &json!({"name": "all", "on": "artifact.pushed"})).await;
        let member = async |first: u16, then: u16, events: Value| {
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
            slow: member(500, 200, json!(["release.created", "deployment.completed"])).await,
            refusing: member(400, 200, created()).await,
            paused: member(500, 200, created()).await,
            gone: member(410, 410, created()).await,
            deleted: member(500, 500, created()).await,
        }
    }
}

/// Asks again and again for what may be asked for twice, until it is done.
async fn ask(world: &World, method: &Method, path: &str, key: &str, body: &Value) -> Value {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    for _ in 0..200 {
        let body = if method == Method::DELETE { String::new() } else { body.to_string() };
        let answer = world.admin.send(method.clone(), path, &headers, body.into()).await.expect("an answer");
        let is_gone = method == Method::DELETE && answer.status == StatusCode::NOT_FOUND;
        if answer.status.is_success() || is_gone {
            return answer.body;
        }
        assert!(answer.status == StatusCode::CONFLICT || answer.status.is_server_error(), "{}", answer.body);
        // A key that a dead process had begun with is free again after a minute.
        world.time.advance(Duration::seconds(10));
    }
    panic!("{method} {path} was never done");
}

/// What callers do, from the beginning; whoever has done a part of it before does no harm by doing it again.
async fn act(world: &World, cast: &Cast, began: &str) {
    let push = docker_hub_push("v1.0.0", 1_704_067_200);
    let hook = format!("{}{}", world.stack.url(), cast.hook);
    while !world.push_to(&hook, &[], &push).await.status.is_success() {}
    let event = json!({"event": "deployment.completed", "data": world.example("deployment.completed")});
    ask(world, &Method::POST, "/api/v1/events", "e", &event).await;
    for (receiver, _) in [&cast.slow, &cast.refusing, &cast.paused, &cast.gone, &cast.deleted] {
        until(world, async || receiver.has(1).await).await;
    }
    let path = |subscription: &str| format!("/api/v1/webhook-subscriptions/{subscription}");
    ask(world, &Method::PATCH, &path(&cast.paused.1), "d", &json!({"enabled": false})).await;
    ask(world, &Method::DELETE, &path(&cast.deleted.1), "x", &Value::Null).await;
    until(world, async || rows(world, &cast.refusing.1).await.iter().any(|row| row["status"] != "pending"))
        .await;
    let recover = format!("{}/recover", path(&cast.refusing.1));
    ask(world, &Method::POST, &recover, "r", &json!({"from": began})).await;
    ask(world, &Method::PATCH, &path(&cast.paused.1), "n", &json!({"enabled": true})).await;
}

/// Lets time pass until something is so: seconds first, so that what is to follow at once does, then minutes.
async fn until(world: &World, is_so: impl AsyncFn() -> bool) {
    for step in 0..400 {
        if is_so().await {
            return;
        }
        world.stack.idle().await;
        world.time.advance(if step < 30 { Duration::seconds(1) } else { Duration::minutes(10) });
    }
    panic!("it never came to be so");
}

async fn rows(world: &World, subscription: &str) -> Vec<Value> {
    let path = format!("/api/v1/webhook-subscriptions/{subscription}/deliveries");
    world.get(&path).await["data"].as_array().unwrap().clone()
}

/// Everything is as it would be if nothing had died.
async fn is_settled(world: &World, cast: &Cast) -> bool {
    let open =
        cast.deleted.0.received().into_iter().map(|request| request.header("x-stella-delivery").to_owned());
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
    let gone = format!("/api/v1/webhook-subscriptions/{}", cast.gone.1);
    all(&cast.slow.1, 2, "delivered").await
        && all(&cast.refusing.1, 1, "delivered").await
        && all(&cast.paused.1, 1, "delivered").await
        && all(&cast.gone.1, 1, "failed").await
        && world.get(&gone).await["data"]["enabled"] == false
}

/// What must hold then.
async fn check(world: &World, cast: &Cast, point: &str) {
    let total = async |path: &str| world.get(path).await["pagination"]["total"].clone();
    assert_eq!(total("/api/v1/releases").await, 1, "{point}");
    assert_eq!(total(&format!("/api/v1/components/{}/versions", cast.component)).await, 1, "{point}");
    assert_eq!(total("/api/v1/events").await, 2, "{point}");
    let dead = world.operator.get("/api/v1/dead-letters").await.unwrap();
    assert_eq!(dead.data()["approximateMessages"], 0, "{point}: {}", dead.body);
    for ((receiver, _), deliveries, attempts) in [
        (&cast.slow, 2, 3),
        (&cast.refusing, 1, 2),
        (&cast.paused, 1, 2),
        (&cast.gone, 1, 1),
        (&cast.deleted, 1, 1),
    ] {
        let received = receiver.received();
        let ids: BTreeSet<&str> =
            received.iter().map(|request| request.header("x-stella-delivery")).collect();
        assert_eq!(ids.len(), deliveries, "{point}: each delivery has one id");
        // All functions died at once: an attempt that was under way is made again, and so is one whose message
        // was sent by a fan-out that did not come to say so.
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

async fn start(folder: &Path, time: &Time, dying: Dying) -> World {
    let (data, time) = (Data::Folder(folder.to_owned()), time.clone());
    World::made_of(Settings { data, time, dying, ..Settings::default() }).await
}

/// What callers do, until all that follows from it is done.
async fn story(world: &World, cast: &Cast, began: &str) {
    act(world, cast, began).await;
    until(world, async || is_settled(world, cast).await).await;
}

fn process() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// One life, and the next one where the first ends early; the effects of the first, and whether it did.
fn live(at: u64, side: Side) -> (Vec<String>, bool) {
    let outside = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (time, dying) = (Time::manual(SystemClock.now()), Dying::default());
    let began = timestamp(time.now());
    // With the runtime goes all that ran in it, as with a process.
    let cast = process().block_on(async {
        let world = start(folder.path(), &time, dying.clone()).await;
        let cast = Cast::new(&world, outside.handle()).await;
        dying.arm(Point { side, effect: Effect::Number(at) });
        tokio::select! {
            () = story(&world, &cast, &began) => {}
            () = dying.died() => {}
        }
        cast
    });
    let effects = dying.effects();
    let effect = usize::try_from(at - 1).ok().and_then(|at| effects.get(at));
    let point = format!("{side:?} {} (number {at})", effect.map_or("the end", String::as_str));
    process().block_on(async {
        let world = start(folder.path(), &time, Dying::default()).await;
        story(&world, &cast, &began).await;
        check(&world, &cast, &point).await;
    });
    (effects, dying.is_dead())
}

#[test]
fn a_crash_at_any_point_loses_nothing_and_creates_nothing_twice() {
    let _alone = ALONE.blocking_lock();
    let (effects, _) = live(u64::MAX, Side::After);
    let points = u64::try_from(effects.len()).unwrap();
    let (points, died_at) = (AtomicU64::new(2 * points), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        for _ in 0..AT_ONCE {
            threads.spawn(|| {
                let next = || points.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).ok();
                while let Some(point) = next() {
                    let (at, side) =
                        (point.div_ceil(2), if point % 2 == 0 { Side::Before } else { Side::After });
                    let (effects, died) = live(at, side);
                    if died {
                        let effect = &effects[usize::try_from(at).unwrap() - 1];
                        died_at.lock().unwrap().push(format!("{side:?} {effect}"));
                    }
                }
            });
        }
    });
    let died_at = died_at.into_inner().unwrap();
    let kinds: BTreeSet<&String> = died_at.iter().collect();
    println!("{} deaths, at {} kinds of points: {kinds:#?}", died_at.len(), kinds.len());
    for function in ["InboundFunction", "ApiFunction", "FanoutFunction", "DeliverFunction", "SweepFunction"] {
        assert!(kinds.iter().any(|kind| kind.contains(function)), "{function} died nowhere");
    }
}
