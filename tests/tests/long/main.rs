//! What takes the whole machine for a while: counted costs, deaths at every point, failing wires.

mod cost;
mod crash_points;
mod torture;

/// Held by each of these tests: what it counts or bounds needs the machine to itself.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
