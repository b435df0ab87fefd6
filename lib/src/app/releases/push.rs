//! A request that proved itself, and why it may have to come again.

use chrono::{DateTime, Utc};
use http::HeaderMap;

use crate::domain::inbound::config::Config;
use crate::domain::inbound::senders::Parsed;
use crate::domain::shared::ids::ReceiptId;
use crate::domain::shared::release_rate::Turn;
use crate::error::Error;

/// A request that proved itself.
pub struct Push<'a> {
    /// By which config it came.
    pub config: &'a Config,
    /// What it says.
    pub parsed: &'a Parsed,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The hash of its body.
    pub body_hash: &'a str,
    /// The receipt that its sender is told.
    pub receipt: ReceiptId,
    /// The turn that it waited for.
    pub turn: Option<Turn>,
    /// The present.
    pub now: DateTime<Utc>,
}

/// Why a request was not taken in.
pub enum Halt {
    /// Something that it needs is out of order.
    Failed(Error),
    /// A component makes as many releases as it may: its turn is later.
    Wait(Turn),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
