//! The parts of the benchmark, each of which makes rows of the table.

use std::collections::BTreeMap;
use std::time::Duration;

use end_to_end::World;
use sam_local::{Data, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::cpu::{calibration, resident_mib, spent};
use crate::expressions::expressions;
use crate::history;
use crate::load::{Load, Outcome};
use crate::own_threads::{self, NAME};
use crate::report::Row;

const EVENT: &str = "release.created";

/// A stack on a data folder, as `make run` starts it, and the process that loads it.
struct Bench {
    world: World,
    load: Load,
    _folder: TempDir,
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::Folder(folder.path().to_owned());
        let functions = own_threads::functions();
        let world =
            World::made_of(Settings { data, functions: functions.into(), ..stella_local::settings() }).await;
        Self { world, load: Load::start(), _folder: folder }
    }

    /// Creates `count` subscriptions to the event that is published.
    async fn subscribe(&self, count: usize) {
        for number in 0..count {
            self.subscribe_to(EVENT, &self.load.url, &format!("s{number}")).await;
        }
    }

    async fn subscribe_to(&self, event: &str, url: &str, name: &str) -> Value {
        let body = json!({"name": name, "url": url, "authType": "signature", "events": [event]});
        self.world.subscription(&body).await
    }

    fn run(&mut self, events: u64, connections: u64, expected: u64) -> Outcome {
        let (base, key) = (self.world.stack.url(), self.world.key.clone());
        tokio::task::block_in_place(|| self.load.run(&base, &key, EVENT, events, connections, expected))
    }
}

fn seconds_per_thousand(spent: Duration, deliveries: u64) -> f64 {
    spent.as_secs_f64() * 1000.0 / deliveries as f64
}

/// Runs the part named `only`, or all parts if it is empty; the rows of the table.
pub async fn all(only: &str) -> Vec<Row> {
    let is_wanted = |part: &str| only.is_empty() || only == part;
    let mut rows = vec![Row::new(
        "SHA-256 of 64 MiB, to compare machines by",
        format!("{:.0?}", calibration()),
        "",
        true,
    )];
    // First, before anything else uses memory.
    if is_wanted("memory") {
        rows.extend(memory().await);
    }
    if is_wanted("cpu") {
        rows.extend(processor(1, 0.8, Some(1.6)).await);
        rows.extend(processor(3, 0.45, None).await);
    }
    if is_wanted("latency") {
        rows.push(unloaded().await);
    }
    if is_wanted("hanging") {
        rows.push(hanging().await);
    }
    if is_wanted("rate") {
        rows.push(rate().await);
    }
    if is_wanted("expressions") {
        rows.extend(expressions().await);
    }
    if is_wanted("neighbours") {
        rows.extend(neighbours().await);
    }
    rows
}

async fn processor(fan_out: u64, max_own: f64, max_whole: Option<f64>) -> Vec<Row> {
    let mut bench = Bench::start().await;
    bench.subscribe(fan_out as usize).await;
    bench.run(300, 8, 300 * fan_out);
    let events = 9_000 / fan_out;
    let deliveries = events * fan_out;
    let before = spent(NAME);
    let outcome = bench.run(events, 8, deliveries);
    let after = spent(NAME);
    let own = seconds_per_thousand(after.named - before.named, deliveries);
    let whole = seconds_per_thousand(after.process - before.process, deliveries);
    let rate = deliveries as f64 / outcome.seconds;
    let lost = deliveries - outcome.received;
    let at = format!("at fan-out {fan_out}");
    let mut rows = vec![Row::new(
        format!("Processor time of our handlers per 1 000 deliveries of 1 KiB, {at}"),
        format!("{own:.2} s"),
        &format!("under {max_own} s"),
        own < max_own,
    )];
    let target = max_whole.map(|max| format!("under {max} s")).unwrap_or_default();
    rows.push(Row::new(
        format!("The same of the whole local process, {at}"),
        format!("{whole:.2} s"),
        &target,
        max_whole.is_none_or(|max| whole < max),
    ));
    rows.push(Row::new(
        format!("Deliveries a second from 8 publishers, {at}"),
        format!("{rate:.0} ({lost} lost, {} twice)", outcome.duplicates),
        "1 000, none lost, none twice",
        rate >= 1000.0 && lost == 0 && outcome.duplicates == 0,
    ));
    rows
}

async fn unloaded() -> Row {
    let mut bench = Bench::start().await;
    bench.subscribe(1).await;
    bench.run(50, 1, 50);
    let outcome = bench.run(500, 1, 500);
    let (median, late) = (outcome.latency(50), outcome.latency(99));
    Row::new(
        "From the answer to a publisher to the receipt, unloaded",
        format!("p50 {median:.1} ms, p99 {late:.1} ms"),
        "p50 under 15 ms",
        median < 15.0,
    )
}

async fn hanging() -> Row {
    let mut bench = Bench::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            held.push(connection);
        }
    });
    bench.subscribe_to("deployment.failed", &url, "hangs").await;
    bench.subscribe(1).await;
    for _ in 0..30 {
        futures_util::future::join_all((0..50).map(|_| bench.world.publish("deployment.failed"))).await;
    }
    let outcome = bench.run(20, 1, 20);
    let late = outcome.latency(99);
    Row::new(
        "1 500 deliveries to a receiver that hangs, then 20 to a healthy one: p99 of these",
        format!("{late:.0} ms ({} of 20)", outcome.received),
        "under 1 s",
        late < 1000.0 && outcome.received == 20,
    )
}

async fn rate() -> Row {
    let mut bench = Bench::start().await;
    let body = json!({"name": "slow", "url": bench.load.url, "events": [EVENT], "rateLimitPerSecond": 20});
    bench.world.subscription(&body).await;
    let outcome = bench.run(600, 8, 600);
    // Every window of ten seconds within the time of the burst.
    let last = outcome.times.last().copied().unwrap_or_default();
    let within = |from: f64| {
        let count = outcome.times.iter().filter(|time| **time >= from && **time < from + 10.0).count();
        count as f64 / 10.0
    };
    let first = outcome.times.first().copied().unwrap_or_default();
    let averages: Vec<f64> = (0..1_000)
        .map(|step| first + f64::from(step) / 10.0)
        .take_while(|from| from + 10.0 <= last)
        .map(within)
        .collect();
    let least = averages.iter().copied().fold(f64::INFINITY, f64::min);
    let most = averages.iter().copied().fold(0.0, f64::max);
    Row::new(
        "`rateLimitPerSecond: 20` under a burst of 600: average over any 10 s",
        format!("{least:.1} to {most:.1}"),
        "18 to 22",
        least >= 18.0 && most <= 22.0,
    )
}

/// Compares a stack with ten subscriptions and a short log with one with ten thousand and a long log.
async fn neighbours() -> Vec<Row> {
    let mut few = Bench::start().await;
    let mut many = Bench::start().await;
    few.subscribe(3).await;
    many.subscribe(3).await;
    history::neighbours(&few.world, 7).await;
    history::neighbours(&many.world, 9_997).await;
    for (bench, rows) in [(&few, 1_000), (&many, 1_000_000)] {
        let subscription = history::find(&bench.world, "s0").await;
        history::log(&bench.world, &subscription, rows);
    }
    let mut latencies: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    let mut calls = [0.0; 2];
    for bench in [&mut few, &mut many] {
        bench.run(100, 1, 300);
    }
    for _ in 0..6 {
        for (at, bench) in [&mut few, &mut many].into_iter().enumerate() {
            let before = count(&bench.world);
            let outcome = bench.run(300, 1, 900);
            assert_eq!(outcome.received, 900);
            calls[at] += (count(&bench.world) - before) as f64;
            latencies[at].push(outcome.latency(50));
        }
    }
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let [few_ms, many_ms] = [median(&mut latencies[0]), median(&mut latencies[1])];
    let [few_calls, many_calls] = calls.map(|calls| calls / 5_400.0);
    vec![
        Row::new(
            "Calls of AWS per delivery, 10 subscriptions and 10³ log rows against 10⁴ and 10⁶",
            format!("{few_calls:.2} against {many_calls:.2}"),
            "equal",
            (many_calls / few_calls - 1.0).abs() < 0.02,
        ),
        Row::new(
            "Latency of those, p50",
            format!("{few_ms:.2} ms against {many_ms:.2} ms"),
            "within 25 %",
            many_ms / few_ms < 1.25,
        ),
    ]
}

fn count(world: &World) -> u64 {
    world
        .stack
        .calls()
        .snapshot()
        .into_iter()
        .filter(|((service, _), _)| *service != "lambda")
        .map(|(_, n)| n)
        .sum()
}

async fn memory() -> Vec<Row> {
    let mut bench = Bench::start().await;
    bench.subscribe(10).await;
    let mut seen = BTreeMap::new();
    let mut lost = 0;
    for quarter in 1..=4_u64 {
        let outcome = bench.run(5_000, 8, 50_000);
        lost += 50_000 - outcome.received;
        seen.insert(quarter * 50_000, resident_mib());
    }
    let shown: Vec<String> = seen.iter().map(|(count, mib)| format!("{mib:.0} MiB after {count}")).collect();
    let last = seen[&200_000];
    let is_flat = last <= seen[&100_000] * 1.1;
    vec![
        Row::new(
            "Memory of the whole local process",
            shown.join(", "),
            "under 200 MiB after 200 000 deliveries, and flat",
            last < 200.0 && is_flat,
        ),
        Row::new("Deliveries lost of those", lost.to_string(), "none", lost == 0),
    ]
}
