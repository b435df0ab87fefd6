//! Who may call: tenants, API keys, roles, portal links and sessions.

pub mod session;
pub mod tenant;
