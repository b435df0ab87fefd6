//! The local stack: how it reads the template, starts, logs and crashes.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "in what only tests call, they are how a test fails"
)]

mod crash;
mod crash_point;
mod logs;
mod process;
mod template;
