//! Senders' times: nine ways to write one. What cannot be read, or means nothing, is absent.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

/// Beyond this an epoch is not in seconds: 1e11 seconds are the year 5138.
const MAX_SECONDS: f64 = 1e11;
/// Beyond this an epoch is not in milliseconds.
const MAX_MILLIS: f64 = 1e14;
/// Beyond this an epoch is not in microseconds.
const MAX_MICROS: f64 = 1e17;
const LAST_YEAR_SECONDS: i64 = 253_402_300_799;

const WITH_OFFSET: [&str; 4] = [
    "%Y-%m-%dT%H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M:%S%.f %z",
    "%Y-%m-%d %H:%M:%S%.f%z",
    "%Y-%m-%dT%H:%M:%S%.f %z",
];
const IN_UTC: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f UTC", "%Y-%m-%dT%H:%M:%S%.f UTC"];

/// A sender's time: an epoch in seconds (whole or not), milliseconds, microseconds or nanoseconds, as a
/// number or a text; RFC 3339 with up to nine decimals; `+0000`; a blank before the offset; ` UTC`.
/// A zero time (of Go, or of 1970), a time after the year 9999 and one without an offset are absent.
#[must_use]
pub fn parse(value: &Value) -> Option<DateTime<Utc>> {
    let time = match value {
        Value::Number(number) => number.as_i64().map_or_else(|| epoch(number.as_f64()?), whole_epoch),
        Value::String(text) => written(text.trim()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }?;
    (time.timestamp() > 0 && time.timestamp() <= LAST_YEAR_SECONDS).then_some(time)
}

fn written(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let offset = |format| DateTime::parse_from_str(text, format).ok().map(|time| time.to_utc());
    let utc = |format| NaiveDateTime::parse_from_str(text, format).ok().map(|time| time.and_utc());
    WITH_OFFSET.into_iter().find_map(offset).or_else(|| IN_UTC.into_iter().find_map(utc)).or_else(|| {
        let number = text.starts_with(|first: char| first.is_ascii_digit());
        text.parse().ok().map_or_else(|| epoch(text.parse().ok().filter(|_| number)?), whole_epoch)
    })
}

/// Whole numbers are exact to the nanosecond.
fn whole_epoch(number: i64) -> Option<DateTime<Utc>> {
    match number {
        ..=99_999_999_999 => DateTime::from_timestamp(number, 0),
        100_000_000_000..=99_999_999_999_999 => DateTime::from_timestamp_millis(number),
        100_000_000_000_000..=99_999_999_999_999_999 => DateTime::from_timestamp_micros(number),
        _ => Some(DateTime::from_timestamp_nanos(number)),
    }
}

/// Numbers with a fraction are read to the microsecond; a float holds no more of today's epoch.
#[expect(clippy::cast_possible_truncation, reason = "in the range that is checked a float's whole part fits")]
fn epoch(number: f64) -> Option<DateTime<Utc>> {
    let micros = match number {
        number if !number.is_finite() || number < 0.0 => return None,
        number if number < MAX_SECONDS => number * 1e6,
        number if number < MAX_MILLIS => number * 1e3,
        number if number < MAX_MICROS => number,
        number if number < 1e20 => number / 1e3,
        _ => return None,
    };
    DateTime::from_timestamp_micros(micros.round() as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Option<String> {
        parse(value).map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }

    #[test]
    fn every_way_to_write_a_time_is_read() {
        for (said, expected) in [
            (json!(1_704_067_200), "2024-01-01T00:00:00Z"),
            (serde_json::from_str("1.417566161e+09").unwrap(), "2014-12-03T00:22:41Z"),
            (json!(1_704_067_200.25), "2024-01-01T00:00:00.250Z"),
            (json!(1_704_067_200_123_i64), "2024-01-01T00:00:00.123Z"),
            (json!(1_704_067_200_123_456_i64), "2024-01-01T00:00:00.123456Z"),
            (json!(1_704_067_200_123_456_789_i64), "2024-01-01T00:00:00.123456789Z"),
            (json!("1704067200"), "2024-01-01T00:00:00Z"),
            (json!("1704067200.5"), "2024-01-01T00:00:00.500Z"),
            (json!("2018-10-11T13:53:21.859222576Z"), "2018-10-11T13:53:21.859222576Z"),
            (json!("2018-10-11T15:53:21.859+02:00"), "2018-10-11T13:53:21.859Z"),
            (json!("2018-10-11T13:53:21.859+0000"), "2018-10-11T13:53:21.859Z"),
            (json!("2018-10-11T13:53:21+0000"), "2018-10-11T13:53:21Z"),
            (json!("2025-06-05 15:04:15 +0800"), "2025-06-05T07:04:15Z"),
            (json!("2016-08-12 15:26:29 UTC"), "2016-08-12T15:26:29Z"),
            (json!(" 2016-08-12T15:26:29Z "), "2016-08-12T15:26:29Z"),
        ] {
            assert_eq!(read(&said).as_deref(), Some(expected), "{said}");
        }
    }

    #[test]
    fn what_is_no_time_is_absent() {
        for said in [
            json!(null),
            json!(0),
            json!(0.0),
            json!(-5),
            json!("0001-01-01T00:00:00Z"),
            json!("1970-01-01T00:00:00Z"),
            json!("2016-08-12T15:26:29"),
            json!("yesterday"),
            json!(""),
            json!("inf"),
            json!("nan"),
            json!(1e300),
            json!(1e20),
            json!("+12000-01-01T00:00:00Z"),
            json!(true),
            json!([1_704_067_200]),
        ] {
            assert_eq!(read(&said), None, "{said}");
        }
    }

    proptest! {
        #[test]
        fn no_number_and_no_text_panics(whole: i64, float: f64, text in ".{0,40}") {
            let _ = (parse(&json!(whole)), parse(&json!(float)), parse(&json!(text)));
        }
    }
}
