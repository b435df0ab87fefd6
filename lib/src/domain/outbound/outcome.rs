//! The outcome of an attempt, and the verdict on it.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

/// The outcome of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered, with any status.
    Response(Response),
    /// There was no complete answer.
    Failure(Failure),
}

/// A receiver's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The beginning of the body.
    pub body: Vec<u8>,
    /// Its `Retry-After`. `None` if it is absent or cannot be read.
    pub retry_after: Option<RetryAfter>,
    /// From the start of the attempt to the end of the answer, in milliseconds.
    pub response_time_ms: u64,
}

/// An attempt without a complete answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// From the start of the attempt to the failure, in milliseconds.
    pub response_time_ms: u64,
}

/// Why there was no complete answer. The names are stored and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailureKind {
    /// The attempt took longer than the subscription's timeout.
    Timeout,
    /// The host's name did not resolve.
    Dns,
    /// The egress guard blocked the address.
    Blocked,
    /// No address accepted the connection.
    Connect,
    /// The TLS handshake failed or the certificate was not accepted.
    Tls,
    /// The connection ended before the answer did.
    Interrupted,
    /// The answer is not HTTP.
    Protocol,
    /// A reader reported a failure of its own.
    Reported,
}

impl FailureKind {
    /// The failure in words, which are constant and contain no address.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Timeout => "The request timed out",
            Self::Dns => "The host name did not resolve",
            Self::Blocked => "The host resolves to an address that may not be called",
            Self::Connect => "The connection could not be made",
            Self::Tls => "The TLS handshake failed",
            Self::Interrupted => "The connection was closed before the answer was complete",
            Self::Protocol => "The answer was not valid HTTP",
            Self::Reported => "The puller reported a failure",
        }
    }
}

/// What follows an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver accepted the delivery.
    Delivered,
    /// The receiver refused the delivery, and would refuse it again.
    Final {
        /// The reason, for people.
        reason: String,
    },
    /// The receiver answered 410 Gone: no further attempt, and the subscription is disabled.
    Gone,
    /// Retry, if the retry policy allows another attempt.
    Retry {
        /// The wait that the receiver asks for by `Retry-After`, without limits.
        after: Option<Duration>,
    },
}

/// A `Retry-After` (RFC 9110, 10.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// This many seconds after the answer.
    Seconds(u32),
    /// At this time.
    At(DateTime<Utc>),
}

impl RetryAfter {
    /// Parses the header's value: seconds, or a date in one of the three forms of RFC 9110, 5.6.7.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self::Seconds(value.parse().unwrap_or(u32::MAX)));
        }
        httpdate::parse_http_date(value).ok().map(|date| Self::At(date.into()))
    }

    /// The wait from `now` on. Zero for a time in the past.
    #[must_use]
    pub fn from(self, now: DateTime<Utc>) -> Duration {
        match self {
            Self::Seconds(seconds) => Duration::seconds(seconds.into()),
            Self::At(moment) => moment.signed_duration_since(now).max(Duration::zero()),
        }
    }
}

impl Outcome {
    /// Judges the outcome. 2xx is delivered; 410 is gone; other 4xx are final, except 408, 425 and 429; a
    /// blocked address is final; everything else is retried.
    #[must_use]
    pub fn verdict(&self, now: DateTime<Utc>) -> Verdict {
        match self {
            Self::Response(response) => match response.status {
                200..=299 => Verdict::Delivered,
                410 => Verdict::Gone,
                400..=407 | 409 | 411..=424 | 426..=428 | 430..=499 => {
                    Verdict::Final { reason: format!("Client error: {}", response.status) }
                }
                _ => Verdict::Retry { after: response.retry_after.map(|after| after.from(now)) },
            },
            Self::Failure(failure) => match failure.kind {
                FailureKind::Blocked => Verdict::Final { reason: failure.kind.message().to_owned() },
                FailureKind::Timeout
                | FailureKind::Dns
                | FailureKind::Connect
                | FailureKind::Tls
                | FailureKind::Interrupted
                | FailureKind::Protocol
                | FailureKind::Reported => Verdict::Retry { after: None },
            },
        }
    }

    /// Whether the receiver accepted the delivery.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status().is_some_and(|status| (200..=299).contains(&status))
    }

    /// The HTTP status. `None` without an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Response(response) => Some(response.status),
            Self::Failure(_) => None,
        }
    }

    /// How long the attempt took, in milliseconds.
    #[must_use]
    pub fn response_time_ms(&self) -> u64 {
        match self {
            Self::Response(response) => response.response_time_ms,
            Self::Failure(failure) => failure.response_time_ms,
        }
    }

    /// What went wrong, for people. `None` for a success.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        match self {
            Self::Failure(failure) => Some(failure.kind.message().to_owned()),
            Self::Response(response) => match response.status {
                200..=299 => None,
                300..=399 => Some(format!("Redirect not followed: {}", response.status)),
                400..=499 => Some(format!("Client error: {}", response.status)),
                _ => Some(format!("Server error: {}", response.status)),
            },
        }
    }

    /// The answer's body as text of at most `max_bytes` bytes. Bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn body_text(&self, max_bytes: usize) -> Option<String> {
        match self {
            Self::Failure(_) => None,
            Self::Response(response) => Some(text_of(&response.body, max_bytes)),
        }
    }
}

fn text_of(body: &[u8], max_bytes: usize) -> String {
    let mut text = String::new();
    for character in String::from_utf8_lossy(body.get(..max_bytes).unwrap_or(body)).chars() {
        // A replacement character is longer than what it replaces.
        if text.len().saturating_add(character.len_utf8()) > max_bytes {
            break;
        }
        text.push(character);
    }
    if body.len() > max_bytes {
        // The cut may have split a character, whose first bytes then became U+FFFD.
        let whole = text.trim_end_matches('\u{fffd}').len();
        text.truncate(whole);
    }
    text
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;
    use proptest::prelude::*;

    use super::*;

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 1, 9, 10, 30, 0).unwrap()
    }

    fn answered(status: u16) -> Outcome {
        Outcome::Response(Response { status, body: b"OK".to_vec(), retry_after: None, response_time_ms: 5 })
    }

    fn throttled(status: u16, retry_after: &str) -> Verdict {
        let retry_after = RetryAfter::parse(retry_after);
        Outcome::Response(Response { status, body: vec![], retry_after, response_time_ms: 5 }).verdict(now())
    }

    #[test]
    fn every_2xx_is_delivered() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(answered(status).verdict(now()), Verdict::Delivered);
            assert_eq!(answered(status).error(), None);
        }
    }

    #[test]
    fn a_4xx_is_final_except_408_425_and_429() {
        for status in 400..=499 {
            let verdict = answered(status).verdict(now());
            match status {
                408 | 425 | 429 => assert_eq!(verdict, Verdict::Retry { after: None }),
                410 => assert_eq!(verdict, Verdict::Gone),
                _ => assert_eq!(verdict, Verdict::Final { reason: format!("Client error: {status}") }),
            }
        }
    }

    #[test]
    fn redirects_and_server_errors_are_retried() {
        for status in [301, 302, 304, 307, 308, 500, 502, 503, 599, 101, 999] {
            assert_eq!(answered(status).verdict(now()), Verdict::Retry { after: None });
        }
    }

    #[test]
    fn only_a_blocked_address_makes_a_failure_final() {
        for kind in [
            FailureKind::Timeout,
            FailureKind::Dns,
            FailureKind::Connect,
            FailureKind::Tls,
            FailureKind::Interrupted,
            FailureKind::Protocol,
            FailureKind::Reported,
        ] {
            let outcome = Outcome::Failure(Failure { kind, response_time_ms: 1 });
            assert_eq!(outcome.verdict(now()), Verdict::Retry { after: None });
        }
        let blocked = Outcome::Failure(Failure { kind: FailureKind::Blocked, response_time_ms: 1 });
        assert!(matches!(blocked.verdict(now()), Verdict::Final { .. }));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let after = |seconds| Verdict::Retry { after: Some(Duration::seconds(seconds)) };
        assert_eq!(throttled(429, "120"), after(120));
        assert_eq!(throttled(503, " 7 "), after(7));
        assert_eq!(throttled(503, "Fri, 09 Jan 2026 10:32:00 GMT"), after(120));
        assert_eq!(throttled(503, "Friday, 09-Jan-26 10:32:00 GMT"), after(120));
        assert_eq!(throttled(503, "Fri Jan  9 10:32:00 2026"), after(120));
    }

    #[test]
    fn a_past_date_means_no_wait_and_an_invalid_value_is_ignored() {
        assert_eq!(
            throttled(503, "Fri, 09 Jan 2026 10:00:00 GMT"),
            Verdict::Retry { after: Some(Duration::zero()) }
        );
        for nonsense in ["", "soon", "-5", "1.5", "2026-01-09T10:32:00Z"] {
            assert_eq!(throttled(503, nonsense), Verdict::Retry { after: None }, "{nonsense}");
        }
        assert_eq!(RetryAfter::parse("99999999999999999999"), Some(RetryAfter::Seconds(u32::MAX)));
    }

    #[test]
    fn a_kept_body_is_cut_between_characters() {
        assert_eq!(text_of("aé".as_bytes(), 2), "a");
        assert_eq!(text_of("aé".as_bytes(), 3), "aé");
        assert_eq!(text_of(b"\xff", 10), "\u{fffd}");
        assert_eq!(answered(200).body_text(64).as_deref(), Some("OK"));
    }

    proptest! {
        #[test]
        fn a_kept_body_never_exceeds_its_limit(body: Vec<u8>, max in 0..64_usize) {
            prop_assert!(text_of(&body, max).len() <= max);
        }

        #[test]
        fn an_outcome_is_a_success_exactly_if_its_verdict_is_delivered(status in 100..1_000_u16) {
            let outcome = answered(status);
            prop_assert_eq!(outcome.is_success(), outcome.verdict(now()) == Verdict::Delivered);
            prop_assert_eq!(outcome.is_success(), outcome.error().is_none());
        }

        #[test]
        fn no_value_makes_the_parser_of_retry_after_panic(value: String) {
            let _ = RetryAfter::parse(&value);
        }
    }
}
