//! Reads a request's body, limited in size and time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header;
use http::request::Parts;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};

use super::event::MAX_EVENT_BYTES;

/// The largest body that is read, in bytes: a larger one fits no event.
const MAX_BYTES: usize = MAX_EVENT_BYTES;
/// How long a body may take.
const MAX_TIME: Duration = Duration::from_secs(30);
/// How much of a too large body is read and dropped, in bytes, and for how long. Otherwise its sender would
/// find the connection broken instead of reading the answer.
const MAX_DROPPED_BYTES: usize = 16 * 1024 * 1024;
const MAX_DROP_TIME: Duration = Duration::from_secs(5);

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is larger than [`MAX_BYTES`].
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// The connection broke, or sent something else than HTTP.
    Broken,
}

/// The whole body.
pub(super) async fn read(request: &Parts, body: Incoming) -> Result<Bytes, Refused> {
    let mut body = body;
    let announced = body.size_hint().lower();
    if usize::try_from(announced).is_ok_and(|announced| announced <= MAX_BYTES) {
        match tokio::time::timeout(MAX_TIME, collect(&mut body)).await {
            Ok(Ok(whole)) => return Ok(whole),
            Ok(Err(Refused::TooLarge)) => {}
            Ok(Err(refused)) => return Err(refused),
            Err(_) => return Err(Refused::TooSlow),
        }
    }
    // With `Expect: 100-continue` the sender has not begun to send the body, and reads the answer at once.
    if !request.headers.contains_key(header::EXPECT) {
        let _ = tokio::time::timeout(MAX_DROP_TIME, discard(&mut body)).await;
    }
    Err(Refused::TooLarge)
}

async fn collect(body: &mut Incoming) -> Result<Bytes, Refused> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Refused::Broken)?.into_data() else { continue };
        if whole.len().saturating_add(data.len()) > MAX_BYTES {
            return Err(Refused::TooLarge);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

async fn discard(body: &mut Incoming) {
    let mut dropped = 0_usize;
    while dropped < MAX_DROPPED_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        dropped = dropped.saturating_add(frame.data_ref().map_or(0, Bytes::len));
    }
}
