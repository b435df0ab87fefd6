//! From a request of a sender to normalised events.
//!
//! # Actors
//!
//! - A **sender** is a registry, a code host or a CI system: a [`Sender`](senders::sender::Sender), an entry
//!   of the table [`SENDERS`](senders::SENDERS). It posts JSON when something happened. If it gets no 2xx, it
//!   posts again, or a person has it post again.
//! - A **webhook config**, short config ([`Config`](config::Config)), says for one sender how it is
//!   authenticated, which events and repositories count, and how fast retries follow.
//! - The **integration** ([`IntegrationId`](integration::IntegrationId)) is the id of a config in the
//!   sender's URL. It is an address, not a secret.
//! - The **reader** of a sender, in its entry, turns a body into
//!   [`NormalisedEvent`](normalised::NormalisedEvent)s. Everything after it knows only these.
//! - A **receipt** ([`Receipt`](receipt::Receipt)) is the stored record of one authenticated request.
//!
//! What an event changes is decided in [`releases`](crate::domain::releases). The use case of this path is
//! `app::releases::ingest`.
//!
//! # Path of a request
//!
//! ```text
//!  POST /api/v1/webhooks/{type}/{integration}[/{token}]
//!   │ 1 find the config ───────────── unknown, disabled, of another type ──▶ 404
//!   │                                a body of more than 4 MiB ───────────▶ 413
//!   │ 2 authenticate the raw bytes ── absent, ambiguous or wrong ──────────▶ 401
//!   │ 3 limit the rate of the config ──────────────────────────────────────▶ 429
//!   │ 4 parse and normalise ───────── not JSON, over 200 events ───────────▶ 4xx
//!   │ 5 each event: binding, filters, components, decision, transaction
//!   │                  └── a dependency fails ──▶ queue inbound-retry ─────▶ 202
//!   │ 6 write the receipt
//!   ▼
//!  200 with the results
//! ```
//!
//! 1. The integration carries a checksum under a permanent key
//!    ([`is_genuine`](integration::IntegrationId::is_genuine)), so a made-up id costs no read. A config is
//!    cached for a minute.
//! 2. [`verify`](auth::verify::verify) checks the credentials by the config's [`Scheme`](scheme::Scheme), and
//!    gives a [`Verified`](auth::verified::Verified). The parser takes nothing else, so what was not
//!    authenticated cannot be parsed. If the check fails, the config is read again and checked once more, at
//!    most every 30 seconds, because the cache may be older than a rotation.
//! 3. Only authenticated requests use up the limit, so nobody else can.
//! 4. The config's [`Provider`](provider::Provider) names the sender, or `auto` finds it by the form of the
//!    body. Headers never decide it: those of different senders overlap, and they are not signed. Members
//!    that the body does not have are absent; nothing is guessed.
//! 5. The [`RepositoryBinding`](binding::RepositoryBinding) and the filters admit an event.
//!    [`lookup_names`](component_match::lookup_names) finds its components. Each event at each component is
//!    one transaction, together with its [`DedupKey`](dedup::DedupKey)s.
//! 6. A [`QueuedRequest`](queued_request::QueuedRequest) is processed later by step 5, and its receipt then
//!    gets the results.
//!
//! # What is authenticated by what
//!
//! | What | By |
//! |---|---|
//! | the body | a signature over its raw bytes (HMAC, Standard Webhooks, HTTP signature) |
//! | the sender, but not the body | a token, a password, an OpenID Connect token or the [`UrlToken`](url_token::UrlToken) |
//! | the time, against replays | Standard Webhooks, HTTP signatures, and HMACs with a time; within a tolerance |
//! | the sender's delivery id | nothing: a header. So the content is a de-duplication key, too |
//! | the repository in an event | the [`RepositoryBinding`](binding::RepositoryBinding), if the config has one |
//! | the number of hops | an HMAC of this deployment ([`lineage`](crate::domain::outbound::lineage)) |
//! | a queued, replayed or previewed request | [`was_verified_before`](auth::verified::Verified::was_verified_before): its credentials are not stored |
//!
//! # States of a receipt
//!
//! See [`Answer`](receipt::Answer). Only `queued` changes, to the results of the retry that succeeds. A
//! receipt is kept for [`RETENTION_DAYS`](receipt::RETENTION_DAYS).
//!
//! # What may happen twice, and why that is safe
//!
//! - *The sender posts again*, or a captured body is replayed under another delivery id: a de-duplication key
//!   is known ([`Seen`](receipt::Seen)), and the event is a duplicate with the figures of the first request.
//!   Keys of content and delivery id live for [`DUPLICATE_DAYS`](receipt::DUPLICATE_DAYS), keys of a body for
//!   [`SAME_BODY_MINUTES`](receipt::SAME_BODY_MINUTES).
//! - *Two requests with one event at once*: both transactions create the same keys, so one is refused and is
//!   a duplicate.
//! - *The process dies* before the transaction: the sender has no answer and posts again. After it: the
//!   repeated request is a duplicate. Between the events of a request: those that were written are
//!   duplicates, the others are processed.
//! - *The queue delivers a message twice*, or a retry follows a try that did a part: what an earlier try of
//!   the same request wrote counts as processed ([`merge_retries`](retried_request::merge_retries)).
//! - *A person replays a receipt*: the same as if the sender had posted again.
//!
//! # What is not needed for correctness
//!
//! The checksum in integration ids and the cache of configs save reads. The rate limit protects the tables;
//! it counts in each environment for itself. Receipts and counters are a log: a receipt that cannot be
//! written does not undo what was done. None of them decides what an event changes.
//!
//! # Known quirks
//!
//! - A request that is refused (4xx), or that can be neither processed nor queued (503), has no receipt. Those
//!   that did not authenticate, and those that were too large, are counted
//!   ([`Rejections`](rejections::Rejections)).
//! - A receipt keeps the first 64 KiB of a body. A request with a longer body cannot be replayed.
//! - `maxRetries` of a config is not applied: a queued request is tried until it is processed, can never be
//!   processed, or its config is deleted. In the last case its receipt stays `queued`. If the config is only
//!   disabled, the request is still processed.
//! - The message of a queued request may have 1 MiB, which is about 750 KB of compressed body. A request that
//!   is larger is refused (503) if it cannot be processed at once.
//! - While a secret is rotated, both are valid for 24 hours.

pub mod answer_view;
pub mod auth;
pub mod authentication;
pub mod binding;
mod bounds;
pub mod component_match;
pub mod config;
pub mod config_view;
pub mod dedup;
pub mod integration;
pub mod json;
pub mod mapping;
pub mod normalise;
pub mod normalised;
pub mod provider;
pub mod queued_request;
pub mod receipt;
pub mod receipt_view;
pub mod redact;
pub mod rejections;
pub mod repository;
pub mod retried_request;
pub mod scheme;
pub mod sender_view;
pub mod senders;
pub mod url_token;
pub mod webhook_type;
