//! An authenticated request, and why its processing may have to be repeated.

use chrono::{DateTime, Utc};
use http::HeaderMap;

use crate::domain::inbound::config::Config;
use crate::domain::inbound::normalise::Parsed;
use crate::domain::shared::ids::ReceiptId;
use crate::domain::shared::release_rate::Turn;
use crate::error::Error;

/// An authenticated request.
pub struct Push<'a> {
    /// The config that it was posted to.
    pub config: &'a Config,
    /// Its parsed content.
    pub parsed: &'a Parsed,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The hash of its body.
    pub body_hash: &'a str,
    /// The id of its receipt.
    pub receipt: ReceiptId,
    /// The release slot that it waited for.
    pub turn: Option<Turn>,
    /// Whether a person asked for it to be processed again.
    pub is_replay: bool,
    /// The current time.
    pub now: DateTime<Utc>,
}

/// Why a request was not processed.
pub enum Halt {
    /// A dependency failed, or the request can never be processed.
    Failed(Error),
    /// A component has reached its release rate; its next slot is later.
    Wait(Turn),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
