//! HTTP to subscribers, behind the egress guard.

pub mod client;
pub mod guard;
