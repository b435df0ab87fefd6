//! Long tests that need the whole machine: counted costs, crashes at every point, network faults.

mod cost;
mod crash_points;
mod order;
mod torture;

/// Held by each of these tests, so that only one runs at a time.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
