//! Cold starts: the time from the start of each function's process until it asks for its first event,
//! compared with a minimal function. The runtime API and the AWS endpoints are on loopback. Prints a table
//! and writes it to `docs/benchmarks.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::PoisonError;
use std::time::Duration;

use end_to_end::World;
use end_to_end::runtime::{Runtime, record_environments};
use end_to_end::tables;
use sam_local::Time;

/// How many times each function is started.
const ROUNDS: usize = 41;

/// The maximum beyond the minimal function.
const MAX_BEYOND: Duration = Duration::from_millis(5);

const FUNCTIONS: [(&str, &str); 7] = [
    ("InboundFunction", "stella-inbound"),
    ("ApiFunction", "stella-api"),
    ("FanoutFunction", "stella-fanout"),
    ("DeliverFunction", "stella-deliver"),
    ("RetryFunction", "stella-deliver"),
    ("SweepFunction", "stella-sweep"),
    ("PortalFunction", "stella-portal"),
];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let (functions, environments) = record_environments();
    let _world = World::with(functions, Time::system()).await;
    let environments = environments.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut all = vec![("hello", "hello", BTreeMap::new())];
    all.extend(FUNCTIONS.map(|(id, binary)| (id, binary, environments[id].variables().clone())));
    let mut taken = vec![Vec::new(); all.len()];
    // In turn, so that other load on the machine affects all alike.
    for _ in 0..ROUNDS {
        for ((_, binary, variables), taken) in all.iter().zip(&mut taken) {
            taken.push(Runtime::start(binary, variables).await.init().await);
        }
    }
    let medians: Vec<Duration> = taken.into_iter().map(median).collect();
    let hello = medians[0];
    let mut table = String::from(
        "| Function | Until it asks for its first event | Beyond `hello` | At most 5 ms |\n|---|---|---|---|\n",
    );
    for ((id, ..), median) in all.iter().zip(medians) {
        let beyond = median.saturating_sub(hello);
        let mark = if beyond <= MAX_BEYOND { "yes" } else { "**no**" };
        let (median, beyond) = (1e3 * median.as_secs_f64(), 1e3 * beyond.as_secs_f64());
        writeln!(table, "| {id} | {median:.1} ms | {beyond:.1} ms | {mark} |").unwrap();
    }
    println!("{table}");
    tables::write("benchmarks.md", "cold start", &table);
}

fn median(mut taken: Vec<Duration>) -> Duration {
    taken.sort_unstable();
    taken[taken.len() / 2]
}
