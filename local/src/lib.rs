//! Stella Webhooks on one machine: its template, functions and default tenant on a
//! [`sam_local`] stack. The binary is `local`; the end-to-end tests use this library.

pub mod client;
mod clock;
pub mod default_tenant;
mod functions;
mod operator;
mod rejection;
mod settings;

pub use self::clock::StackClock;
pub use self::functions::Functions;
pub use self::operator::operator_key;
pub use self::settings::{AWS_TIMEOUT, TEMPLATE, settings};
