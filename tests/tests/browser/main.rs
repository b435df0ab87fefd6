//! The portal in a real browser: `make browser`, which has Chromium, its driver and axe ready.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is a test, and only what bears #[test] counts as one"
)]

mod chromium;
mod doors;
mod hostile;
mod pages;
mod story;
mod things;
