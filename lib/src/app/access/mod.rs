//! Use cases of tenants, API keys and sessions.

pub mod sessions;
pub mod tenants;
