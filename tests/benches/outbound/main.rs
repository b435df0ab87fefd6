//! Benchmarks of deliveries on the local stack with a receiver on loopback: cost, throughput, latency. Prints
//! a table and writes it to `docs/benchmarks.md`.
//!
//! `make bench` runs all parts, `make bench ONLY=cpu` one of them.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::unchecked_time_subtraction,
    reason = "figures for people"
)]

mod cpu;
mod expressions;
mod history;
mod load;
mod own_threads;
mod parts;
mod report;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "load") {
        return load::main();
    }
    let only = arguments.into_iter().find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let rows = runtime.block_on(parts::all(&only));
    report::write(&rows, only.is_empty());
}
