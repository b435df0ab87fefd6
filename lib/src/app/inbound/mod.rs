//! Use cases of webhook configs and receipts.

pub mod config_cache;
pub mod configs;
pub mod receipts;
pub mod rejected_requests;
