//! The local stack: what drives the functions, and the process as it starts, logs and dies.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "in what only tests call, they are how a test fails"
)]

mod crash;
mod driver;
mod dying;
mod limits;
mod logs;
mod process;
