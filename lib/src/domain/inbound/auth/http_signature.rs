//! HTTP signatures ([draft-cavage-http-signatures-10]) over `Date` and `Digest`, as Drone makes them.
//!
//! [draft-cavage-http-signatures-10]: https://datatracker.ietf.org/doc/html/draft-cavage-http-signatures-10

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use super::header::single;

/// A signature in a request, and the text that it must be of.
pub(super) struct Offer {
    pub(super) signature: Vec<u8>,
    pub(super) signed: String,
}

/// Reads the header `Signature`. `None` if the body does not have the `Digest`, if `Date` is not within the
/// tolerance, or if either of them is not signed: the signature itself covers only headers.
pub(super) fn read(
    headers: &HeaderMap,
    body: &[u8],
    tolerance_seconds: u32,
    now: DateTime<Utc>,
) -> Option<Offer> {
    let text = |name: &str| std::str::from_utf8(single(headers, name)?).ok();
    let value = text("signature")?;
    let parameters = value.split(',').filter_map(|entry| entry.trim().split_once('='));
    let parameter = |wanted: &str| {
        let mut of_the_name = parameters.clone().filter(|(name, _)| *name == wanted);
        let (_, value) = of_the_name.next()?;
        let value = value.strip_prefix('"')?.strip_suffix('"')?;
        of_the_name.next().is_none().then_some(value)
    };
    if parameters.clone().any(|(name, value)| name == "algorithm" && value != r#""hmac-sha256""#) {
        return None;
    }
    let signature = STANDARD.decode(parameter("signature")?).ok()?;
    let names: Vec<&str> = parameter("headers")?.split(' ').collect();
    if !["date", "digest"].iter().all(|name| names.contains(name)) {
        return None;
    }
    let digest = text("digest")?.strip_prefix("SHA-256=")?;
    if STANDARD.decode(digest).ok()? != Sha256::digest(body).as_slice() {
        return None;
    }
    let date = DateTime::parse_from_rfc2822(text("date")?).ok()?.timestamp();
    if date.abs_diff(now.timestamp()) > u64::from(tolerance_seconds) {
        return None;
    }
    let lines: Option<Vec<String>> =
        names.iter().map(|name| Some(format!("{name}: {}", text(name)?))).collect();
    Some(Offer { signature, signed: lines?.join("\n") })
}
