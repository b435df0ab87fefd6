//! Replays a receipt: processes its stored request again.
//!
//! Safe to run twice: what the request did before is a duplicate.

use chrono::{DateTime, Utc};

use super::process::Processor;
use super::push::{Halt, Push};
use crate::app::inbound::receipts::{Kept, Logged, header_map, write};
use crate::domain::inbound::auth::verified::Verified;
use crate::domain::inbound::config::Config;
use crate::domain::inbound::normalise;
use crate::domain::inbound::receipt::{Answer, Receipt};
use crate::domain::shared::ids::ReceiptId;
use crate::error::{Code, Error, Kind};
use crate::random;
use crate::store::Store;

/// Processes a stored request again, with a receipt of its own. What it did before is a duplicate.
///
/// # Errors
/// `Conflict` if its body was not stored whole; the errors of parsing and of processing.
pub async fn replay(
    store: &Store,
    processor: &Processor,
    config: &Config,
    receipt: Receipt,
    now: DateTime<Utc>,
) -> Result<(ReceiptId, Answer), Error> {
    if !receipt.replayable {
        let text = "The request's body was too long to be stored whole";
        return Err(Error::new(Kind::Conflict, Code::NotReplayable, text));
    }
    let kept = Kept::unpack(&receipt.request)?;
    let headers = header_map(&kept.headers);
    let verified = Verified::was_verified_before(&headers, &kept.body);
    let parsed = normalise::read(config, &verified, receipt.received_at)?;
    let id = ReceiptId::mint(now, random::bytes());
    let push = Push {
        config,
        parsed: &parsed,
        headers: &headers,
        body_hash: &verified.body_hash(),
        receipt: id,
        turn: None,
        is_replay: true,
        now,
    };
    let answer = processor.process(&push).await.map_err(|halt| not_now(halt, now))?;
    let logged = Logged {
        id,
        config,
        headers: kept.headers,
        body: &kept.body,
        ip: receipt.ip,
        received_at: now,
        replay_of: Some(receipt.id),
    };
    write(store, logged, &answer).await;
    Ok((id, answer))
}

/// The error of a replay that failed, or that would have to wait for a release slot.
fn not_now(halt: Halt, now: DateTime<Utc>) -> Error {
    match halt {
        Halt::Failed(error) => error,
        Halt::Wait(turn) => {
            let seconds = turn.at.signed_duration_since(now).num_seconds().max(1);
            let text = "The component has reached its limit of releases per minute";
            Error::limited(text, u32::try_from(seconds).unwrap_or(u32::MAX))
        }
    }
}
