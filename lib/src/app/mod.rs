//! Use cases: load, decide by the domain's rules, save, notify. Contexts and arrows are those of
//! [`crate::domain`].

pub mod access;
pub mod inbound;
pub mod outbound;
pub mod releases;
pub mod shared;
