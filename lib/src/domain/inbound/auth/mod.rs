//! How a request proves that it comes from its sender.

pub mod header;
pub mod http_signature;
pub mod oidc;
pub mod signature_header;
pub mod verified;
pub mod verify;
