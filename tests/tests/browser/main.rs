//! Tests of the portal in a real browser. `make browser` runs them, and installs Chromium, its driver and
//! axe.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is test code, and clippy regards only #[test] functions as such"
)]

mod chromium;
mod fixture;
mod hostile;
mod pages;
mod scenario;
mod sign_in;
