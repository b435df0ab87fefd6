//! A stack with small functions: its event sources, its HTTP API, and the limits of its services.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in what only tests call, they are how a test fails"
)]

mod driver;
mod limits;
