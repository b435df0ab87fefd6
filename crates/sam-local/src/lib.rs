//! Runs a SAM template of Rust Lambdas in one process, with policies enforced, a held clock and crash points.

mod batch;
pub mod calls;
mod creation;
pub mod credentials;
mod driving;
pub mod dying;
pub mod dynamodb;
mod error;
mod folder;
mod front;
mod function;
mod hosts;
mod invoke;
mod json;
pub mod permissions;
mod poller;
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
pub mod units;
pub mod wiring;

pub use self::error::{Error, ErrorKind};
pub use self::folder::Data;
pub use self::front::Rejection;
pub use self::function::{Answer, Environment, Finish, Function, FunctionError, Functions};
pub use self::stack::{Settings, Stack};
pub use self::time::Time;
