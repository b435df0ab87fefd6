//! The whole system from end to end, over the wire: one binary, because each links all of it.

mod breaker;
mod cli;
mod delivery;
mod endpoints;
mod failures;
mod isolation;
mod lanes;
mod logs;
mod named_secrets;
mod oidc;
mod openapi;
mod outage;
mod pages;
mod poison;
mod portal;
mod pull;
mod push;
mod queued;
mod receipts;
mod recover;
mod repetition;
mod runtime;
mod senders;
mod template;
mod verifier;
mod wiring;
