//! The inbound log: one receipt per request of a sender.
//!
//! Safe to run twice: a receipt is written by its id, and the last answer stays. A receipt that cannot be
//! written does not undo what the request did.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use chrono::{DateTime, Duration, Utc};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::domain::inbound::config::Config;
use crate::domain::inbound::queued_request::QueuedRequest;
use crate::domain::inbound::receipt::{Answer, RETENTION_DAYS, Receipt};
use crate::domain::shared::ids::ReceiptId;
use crate::error::{Error, Kind};
use crate::log_error;
use crate::store::{Store, keys};

/// How much of a body the log keeps, in bytes before compression.
const MAX_BODY: usize = 64 * 1024;

/// A request to be logged.
pub struct Logged<'a> {
    /// The receipt's id.
    pub id: ReceiptId,
    /// The config that it was posted to.
    pub config: &'a Config,
    /// Its headers, with secrets redacted.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: &'a [u8],
    /// The IP address of its sender.
    pub ip: Option<String>,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// The receipt that it is a replay of.
    pub replay_of: Option<ReceiptId>,
}

/// The headers and the body of a logged request.
pub struct Kept {
    /// The headers, with secrets redacted.
    pub headers: BTreeMap<String, String>,
    /// The body, or the first 64 KiB of it.
    pub body: Vec<u8>,
}

impl Kept {
    /// Headers and body, gzipped together: the headers as JSON on the first line, then the body.
    fn pack(headers: &BTreeMap<String, String>, body: &[u8]) -> Result<Vec<u8>, Error> {
        let headers = serde_json::to_vec(headers)
            .map_err(|error| Error::fault("headers cannot be written").caused_by(error))?;
        pack(&[&headers, b"\n".as_slice(), body].concat())
    }

    /// Reads what `pack` made.
    ///
    /// # Errors
    /// `Fault` if it was not made by `pack`.
    pub fn unpack(packed: &[u8]) -> Result<Self, Error> {
        let wrong = || Error::fault("a stored request cannot be read");
        let whole = unpack(packed)?;
        let end = whole.iter().position(|byte| *byte == b'\n').ok_or_else(wrong)?;
        let (headers, body) = whole.split_at(end);
        let headers = serde_json::from_slice(headers).map_err(|error| wrong().caused_by(error))?;
        Ok(Self { headers, body: body.get(1..).unwrap_or_default().to_vec() })
    }
}

/// Logs a request with its answer. A failure is logged, and nothing else.
pub async fn write(store: &Store, logged: Logged<'_>, answer: &Answer) {
    let kept = beginning(logged.body);
    let expires = logged.received_at.checked_add_signed(Duration::days(RETENTION_DAYS));
    let request = match Kept::pack(&logged.headers, kept) {
        Ok(request) => request,
        Err(error) => return not_written(logged.id, &error),
    };
    let receipt = Receipt {
        id: logged.id,
        tenant_id: logged.config.tenant_id,
        config_id: logged.config.id,
        received_at: logged.received_at,
        ip: logged.ip,
        request,
        replayable: kept.len() == logged.body.len(),
        replay_of: logged.replay_of,
        answer: answer.clone(),
        expires_at: expires.unwrap_or(logged.received_at).timestamp(),
    };
    let key = keys::receipt(receipt.tenant_id, receipt.config_id, receipt.id);
    if let Err(error) = store.deliveries.put(&key, &receipt).await {
        not_written(logged.id, &error);
    }
}

/// The part of a body that the log keeps.
fn beginning(body: &[u8]) -> &[u8] {
    body.get(..MAX_BODY).unwrap_or(body)
}

fn not_written(id: ReceiptId, error: &Error) {
    log_error!(WARN, error, "a receipt was not written", receipt.id = %id);
}

/// Stores the final answer of a queued request in its receipt.
///
/// # Errors
/// `Unavailable` if the receipt cannot be written.
pub async fn settle(store: &Store, queued: &QueuedRequest, answer: &Answer) -> Result<(), Error> {
    let key = keys::receipt(queued.tenant_id, queued.config_id, queued.receipt_id);
    let before: Option<Receipt> = store.deliveries.get(&key).await?;
    let body = unpack(&queued.packed_body()?)?;
    let kept = beginning(&body);
    let request = Kept::pack(&queued.headers, kept)?;
    let expires = queued.received_at.checked_add_signed(Duration::days(RETENTION_DAYS));
    let receipt = before.unwrap_or_else(|| Receipt {
        id: queued.receipt_id,
        tenant_id: queued.tenant_id,
        config_id: queued.config_id,
        received_at: queued.received_at,
        ip: queued.ip.clone(),
        request,
        replayable: kept.len() == body.len(),
        replay_of: None,
        answer: answer.clone(),
        expires_at: expires.unwrap_or(queued.received_at).timestamp(),
    });
    match store.deliveries.put(&key, &Receipt { answer: answer.clone(), ..receipt }).await {
        // The result of the request is stored, and a repetition would be refused as well.
        Err(error) if error.kind == Kind::Refused => {
            not_written(queued.receipt_id, &error);
            Ok(())
        }
        settled => settled,
    }
}

/// The config's receipt with this id.
///
/// # Errors
/// `NotFound` if it does not exist.
pub async fn find(store: &Store, config: &Config, id: ReceiptId) -> Result<Receipt, Error> {
    let found: Option<Receipt> =
        store.deliveries.get(&keys::receipt(config.tenant_id, config.id, id)).await?;
    found.ok_or_else(Error::not_found)
}

/// Logged headers as a header map. Those that are not valid headers are left out.
#[must_use]
pub fn header_map(kept: &BTreeMap<String, String>) -> HeaderMap {
    let read = |(name, value): (&String, &String)| {
        Some((name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?))
    };
    kept.iter().filter_map(read).collect()
}

/// A body as it is queued: gzipped.
///
/// # Errors
/// `Fault` if compressing fails, which it does not in memory.
pub fn pack(body: &[u8]) -> Result<Vec<u8>, Error> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    let packed = gzip.write_all(body).and_then(|()| gzip.finish());
    packed.map_err(|error| Error::fault("a body cannot be compressed").caused_by(error))
}

/// The body that [`pack`] compressed.
///
/// # Errors
/// `Fault` if it was not made by [`pack`].
pub fn unpack(packed: &[u8]) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    GzDecoder::new(packed)
        .read_to_end(&mut body)
        .map_err(|error| Error::fault("a packed body cannot be read").caused_by(error))?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_packed_body_is_unpacked_unchanged(body: Vec<u8>) {
            prop_assert_eq!(&unpack(&pack(&body).unwrap()).unwrap(), &body);
            let headers = BTreeMap::from([("a".to_owned(), "line\nline".to_owned())]);
            let kept = Kept::unpack(&Kept::pack(&headers, &body).unwrap()).unwrap();
            prop_assert_eq!((kept.headers, kept.body), (headers, body));
        }
    }
}
