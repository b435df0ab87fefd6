//! `stella verify`: whether a request is one that Stella made, and if not, why.

use std::io::Read as _;

use chrono::{DateTime, Utc};
use serde_json::json;
use stella::clock::{Clock as _, SystemClock};
use stella::domain::shared::signature::SigningSecret;
use subtle::ConstantTimeEq as _;

use crate::failure::Failure;
use crate::options::Verify;
use crate::screen::Screen;

/// How far the signed time may be from now, in seconds.
const TOLERANCE_SECONDS: i64 = 300;

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    is_well: bool,
    why: String,
}

pub(super) fn run(wanted: &Verify, screen: Screen) -> Result<(), Failure> {
    let mut body = Vec::new();
    if wanted.body == "-" {
        std::io::stdin().read_to_end(&mut body)?;
    } else {
        body = std::fs::read(&wanted.body)
            .map_err(|error| Failure::Usage(format!("{} cannot be read: {error}", wanted.body)))?;
    }
    let headers: Vec<(String, &str)> = wanted
        .headers
        .iter()
        .filter_map(|header| header.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        .collect();
    let secret = SigningSecret::parse(&wanted.secret)
        .map_err(|wrong| Failure::Usage(format!("the secret {wrong}")))?;
    let findings = look(&secret, &headers, &body, SystemClock.now());
    // One good signature is enough: who checks one scheme need not have kept the other's headers.
    let is_signed = findings.iter().any(|finding| finding.what != "time" && finding.is_well);
    let is_genuine = is_signed && findings.iter().all(|finding| finding.is_well);
    for finding in &findings {
        let mark = if finding.is_well { "ok" } else { "no" };
        screen.say(&format!("{}  {}: {}", crate::screen::coloured(mark), finding.what, finding.why))?;
    }
    let told: Vec<_> = findings
        .iter()
        .map(|finding| json!({"what": finding.what, "ok": finding.is_well, "why": finding.why}))
        .collect();
    screen.tell(&json!({"genuine": is_genuine, "findings": told}))?;
    screen.say(if is_genuine { "genuine" } else { "NOT genuine" })?;
    if is_genuine { Ok(()) } else { Err(Failure::NotWell) }
}

fn look(secret: &SigningSecret, headers: &[(String, &str)], body: &[u8], now: DateTime<Utc>) -> Vec<Finding> {
    let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let equal = |one: &str, other: &str| bool::from(one.as_bytes().ct_eq(other.as_bytes()));
    let mut findings = Vec::new();
    let mut note = |what, is_well, why: &str| findings.push(Finding { what, is_well, why: why.to_owned() });
    if let Some(said) = header("x-stella-signature") {
        let expected = secret.sign_body(body);
        let previous = header("x-stella-signature-previous");
        if equal(said, &expected) {
            note("X-Stella-Signature", true, "the body is as it was signed, with this secret");
        } else if previous.is_some_and(|said| equal(said, &expected)) {
            note(
                "X-Stella-Signature",
                true,
                "signed with this secret, which is being replaced: take the new one",
            );
        } else if said.eq_ignore_ascii_case(&expected) {
            note("X-Stella-Signature", false, "it is lower-case hex: compare it so");
        } else {
            let trimmed = std::str::from_utf8(body).map(str::trim_end).unwrap_or_default();
            let why = if equal(said, &secret.sign_body(trimmed.as_bytes())) {
                "the body has a line break more than it had: keep its exact bytes"
            } else {
                "another secret, or another body: it must be the exact bytes, not parsed and written again"
            };
            note("X-Stella-Signature", false, why);
        }
    }
    let standard = header("webhook-id").zip(header("webhook-timestamp")).zip(header("webhook-signature"));
    if let Some(((id, seconds), said)) = standard {
        let expected =
            seconds.parse().map(|seconds| secret.sign_standard(id, seconds, body)).unwrap_or_default();
        let is_well = said.split(' ').any(|entry| equal(entry, &expected));
        let why = if is_well {
            "one of its entries is of this secret"
        } else {
            "none of its entries is of this secret and body"
        };
        note("webhook-signature", is_well, why);
    }
    if findings.is_empty() {
        findings.push(Finding {
            what: "signature",
            is_well: false,
            why: "there is none: give its headers, as in -H 'X-Stella-Signature: 5f…'".to_owned(),
        });
    }
    let at = header("x-stella-timestamp").and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let at = at.or_else(|| DateTime::from_timestamp(header("webhook-timestamp")?.parse().ok()?, 0));
    if let Some(at) = at {
        let age = now.signed_duration_since(at).num_seconds();
        let is_well = age.abs() <= TOLERANCE_SECONDS;
        let why = format!("signed {age} s ago; a receiver takes {TOLERANCE_SECONDS} s either way");
        findings.push(Finding { what: "time", is_well, why });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_genuine_or_it_is_said_why_not() {
        let secret = SigningSecret::parse("whsec_c2VjcmV0").unwrap();
        let now: DateTime<Utc> = "2026-01-09T10:30:00Z".parse().unwrap();
        let body = br#"{"id":"d"}"#;
        let (hex, standard) = (secret.sign_body(body), secret.sign_standard("d", now.timestamp(), body));
        let seconds = now.timestamp().to_string();
        let headers = [
            ("x-stella-signature".to_owned(), hex.as_str()),
            ("webhook-id".to_owned(), "d"),
            ("webhook-timestamp".to_owned(), seconds.as_str()),
            ("webhook-signature".to_owned(), standard.as_str()),
        ];
        let wrong = |findings: Vec<Finding>| {
            findings
                .into_iter()
                .filter(|finding| !finding.is_well)
                .map(|finding| finding.why)
                .collect::<Vec<_>>()
        };
        assert!(wrong(look(&secret, &headers, body, now)).is_empty());
        let broken = wrong(look(&secret, &headers, b"{\"id\":\"d\"}\n", now));
        assert!(broken[0].contains("line break"), "{broken:?}");
        assert_eq!(wrong(look(&secret, &headers, b"{}", now)).len(), 2);
        let late = now.checked_add_signed(chrono::TimeDelta::minutes(6)).unwrap();
        assert!(wrong(look(&secret, &headers, body, late))[0].starts_with("signed 360 s ago"));
        assert!(wrong(look(&secret, &[], body, now))[0].contains("there is none"));
    }
}
