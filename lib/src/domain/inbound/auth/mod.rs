//! Authentication of requests: whether one comes from the sender of its config.

pub mod header;
pub mod http_signature;
pub mod oidc;
pub mod signature_header;
pub mod verified;
pub mod verify;
