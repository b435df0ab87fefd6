//! Who may call: tenants, API keys and sessions.

pub mod session;
pub mod tenant;
