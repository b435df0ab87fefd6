//! Stella Webhooks: the library that all functions share.
//!
//! `domain` has the pure rules: no clock, no randomness, no I/O. The rest, behind the feature `aws`, loads,
//! decides by those rules, and saves. See `docs/architecture.md`.

#[macro_use]
mod json_schema;
#[macro_use]
mod named;

#[cfg(test)]
mod architecture;
pub mod domain;
pub mod error;
pub mod random;

#[cfg(feature = "aws")]
pub mod app;
#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "aws")]
pub mod clock;
#[cfg(feature = "aws")]
pub mod egress;
#[cfg(feature = "aws")]
pub mod environment;
#[cfg(feature = "aws")]
pub mod failures;
#[cfg(feature = "aws")]
pub mod function;
#[cfg(feature = "aws")]
pub mod log;
#[cfg(feature = "aws")]
pub mod metrics;
#[cfg(feature = "aws")]
mod panic;
#[cfg(feature = "aws")]
pub mod queue;
#[cfg(feature = "aws")]
pub mod secrets;
#[cfg(feature = "aws")]
pub mod store;
#[cfg(feature = "aws")]
pub mod web;
