//! The whole system on one machine: AWS-compatible endpoints, and what drives the functions.

mod batch;
pub mod calls;
pub mod client;
mod creation;
pub mod default_tenant;
mod driving;
pub mod dying;
pub mod dynamodb;
mod folder;
mod front;
mod functions;
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
