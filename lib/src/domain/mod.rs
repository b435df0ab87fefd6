//! The rules of the product, pure: no clock, no randomness, no input or output. Five contexts, one noun a
//! file.
//!
//! ```text
//! access ───┐
//! inbound ──┼──▶ shared        releases ──▶ inbound, outbound
//! outbound ─┘
//! ```

pub mod access;
pub mod inbound;
pub mod outbound;
pub mod releases;
pub mod shared;
