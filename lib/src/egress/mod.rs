//! HTTP to subscribers and issuers, behind the egress guard.

pub mod client;
#[cfg(test)]
mod client_tests;
pub mod guard;
pub mod issuers;
