//! Runs a SAM template of Rust Lambdas in one process, with policies enforced, a held clock and crash points.
//!
//! [`Stack::start`] reads a [template], creates its tables, queues and secrets in embedded services, starts
//! the [`Functions`] and their event sources, and serves the HTTP API on loopback. The functions call the
//! services with the AWS SDK, as on Lambda; only the endpoint variables differ.
//!
//! - Policies: a call that the function's [policy](permissions::Policy) does not allow is rejected.
//! - Time: everything runs by one clock, [`Time`], which can be held and advanced.
//! - Crashes: a [`CrashPoint`](crash_point::CrashPoint) is a write or send before or after which nothing
//!   happens any more, as if the process had been killed.
//! - Costs: [`Stack::calls`] counts operations and invocations, [`Stack::capacity`] adds up capacity units.
//!
//! The README lists what is emulated, how strictly, and what is not. `examples/quick_start.rs` is a whole
//! program. The services can be used without a stack: [`dynamodb`], [`sqs`] and [`secrets_manager`], behind
//! [`credentials`].

mod batch;
pub mod calls;
pub mod capacity;
pub mod crash_point;
pub mod credentials;
mod data_dir;
pub mod dynamodb;
mod endpoints;
mod error;
mod event_sources;
mod function;
mod hosts;
mod http_api;
mod invoke;
mod json;
pub mod permissions;
mod poller;
mod provision;
pub mod remote;
mod schedule;
pub mod secrets_manager;
mod services;
mod signal;
pub mod sqs;
mod stack;
mod stream;
pub mod template;
mod time;
pub mod wiring;

pub use self::data_dir::Data;
pub use self::error::{Error, ErrorKind};
pub use self::function::{Answer, Environment, Finish, Function, FunctionError, Functions, handler};
pub use self::http_api::Rejection;
pub use self::stack::{Settings, Stack};
pub use self::time::Time;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
