//! Reads the header of a signature: a single value or a list, with or without a prefix, with or without a
//! time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

use super::header::{MAX_SIGNATURES, after_prefix, timely};
use crate::domain::inbound::authentication::Encoding;
use crate::domain::inbound::scheme::{Covers, Prefix};

/// How the header of a signature is written.
pub(super) struct Written<'s> {
    pub(super) prefix: &'s Prefix,
    pub(super) encoding: Encoding,
    pub(super) covers: Covers,
}

/// The signatures in a header, and the time that they cover, as written.
pub(super) struct Offer<'v> {
    pub(super) signatures: Vec<Vec<u8>>,
    pub(super) time: Option<&'v [u8]>,
}

impl Written<'_> {
    pub(super) fn read<'v>(&self, value: &'v [u8], now: DateTime<Utc>) -> Option<Offer<'v>> {
        let mut entries: Vec<&[u8]> = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
        let time = match self.covers {
            Covers::Body | Covers::JsonText => None,
            Covers::TimeAndBody { tolerance_seconds } => {
                let mut times = Vec::new();
                entries.retain(|entry| {
                    let time = entry.strip_prefix(b"timestamp=").or_else(|| entry.strip_prefix(b"t="));
                    times.extend(time);
                    time.is_none()
                });
                let [time] = times.as_slice() else { return None };
                timely(time, tolerance_seconds, now)?;
                Some(*time)
            }
        };
        let written: Vec<&[u8]> = match self.prefix {
            Prefix::Required(prefix) => {
                entries.into_iter().filter_map(|entry| entry.strip_prefix(prefix.as_bytes())).collect()
            }
            // Without a prefix that tells the signature from other entries, there may be one entry only.
            Prefix::Absent | Prefix::Optional(_) if entries.len() > 1 => return None,
            Prefix::Absent => entries,
            Prefix::Optional(prefix) => {
                let bare = |entry: &'v [u8]| after_prefix(entry, prefix).unwrap_or(entry);
                entries.into_iter().map(bare).collect()
            }
        };
        let decode = |written: &[u8]| match self.encoding {
            Encoding::Hex => hex::decode(written).ok(),
            Encoding::Base64 => STANDARD.decode(written).ok(),
        };
        let signatures = written.into_iter().take(MAX_SIGNATURES).filter_map(decode).collect();
        Some(Offer { signatures, time })
    }
}
