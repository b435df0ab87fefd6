//! From a request of a sender to normalised events: webhook configs, authentication, senders, receipts.

pub mod auth;
pub mod authentication;
pub mod binding;
pub mod component_match;
pub mod config;
pub mod dedup;
pub mod integration;
pub mod json;
pub mod mapping;
pub mod normalised;
pub mod provider;
pub mod queued_request;
pub mod receipt;
pub mod redact;
pub mod repository;
pub mod retried_request;
pub mod scheme;
pub mod senders;
pub mod url_token;
