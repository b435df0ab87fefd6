//! Runs a SAM template of Rust Lambdas in one process, with policies enforced, a held clock and crash points.

mod batch;
pub mod calls;
pub mod capacity;
pub mod crash_point;
pub mod credentials;
mod data_dir;
pub mod dynamodb;
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
pub mod stack;
mod stream;
pub mod template;
pub mod time;
pub mod wiring;

pub use self::data_dir::Data;
pub use self::error::{Error, ErrorKind};
pub use self::function::{Answer, Environment, Finish, Function, FunctionError, Functions};
pub use self::http_api::Rejection;
pub use self::stack::{Settings, Stack};
pub use self::time::Time;
