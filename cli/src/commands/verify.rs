//! `stella verify`: checks the signature of a received webhook and explains a failure.

use std::io::Read as _;

use chrono::{DateTime, Utc};
use serde_json::json;
use stella::clock::{Clock as _, SystemClock};
use stella::domain::shared::signature::SigningSecret;
use subtle::ConstantTimeEq as _;

use crate::failure::Failure;
use crate::options::Verify;
use crate::output::Output;

/// The maximum difference between the signed time and now, in seconds.
const TOLERANCE_SECONDS: i64 = 300;

/// The name of the check of the signed time.
const TIME: &str = "time";

/// One check and its result.
struct Check {
    name: &'static str,
    passed: bool,
    detail: String,
}

pub(super) fn run(options: &Verify, output: Output) -> Result<(), Failure> {
    let mut body = Vec::new();
    if options.body == "-" {
        std::io::stdin().read_to_end(&mut body)?;
    } else {
        body = std::fs::read(&options.body)
            .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", options.body)))?;
    }
    let headers: Vec<(String, &str)> = options
        .headers
        .iter()
        .filter_map(|header| header.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        .collect();
    let secret = SigningSecret::parse(&options.secret)
        .map_err(|error| Failure::Usage(format!("the secret {error}")))?;
    let checks = check(&secret, &headers, &body, SystemClock.now());
    // One valid signature is enough: a receiver of one scheme may have dropped the other's headers.
    let is_signed = checks.iter().any(|check| check.name != TIME && check.passed);
    let is_genuine = is_signed && checks.iter().all(|check| check.passed);
    for check in &checks {
        let mark = if check.passed { "ok" } else { "no" };
        output.print_text(&format!("{}  {}: {}", crate::output::coloured(mark), check.name, check.detail))?;
    }
    let findings: Vec<_> = checks
        .iter()
        .map(|check| json!({"what": check.name, "ok": check.passed, "why": check.detail}))
        .collect();
    output.print_json(&json!({"genuine": is_genuine, "findings": findings}))?;
    output.print_text(if is_genuine { "genuine" } else { "NOT genuine" })?;
    if is_genuine {
        return Ok(());
    }
    let failed = checks.iter().filter(|check| !check.passed).count();
    Err(Failure::ChecksFailed { failed, total: checks.len() })
}

fn check(secret: &SigningSecret, headers: &[(String, &str)], body: &[u8], now: DateTime<Utc>) -> Vec<Check> {
    let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let equal = |one: &str, other: &str| bool::from(one.as_bytes().ct_eq(other.as_bytes()));
    let mut checks = Vec::new();
    let mut add = |name, passed, detail: &str| checks.push(Check { name, passed, detail: detail.to_owned() });
    if let Some(signature) = header("x-stella-signature") {
        let expected = secret.sign_body(body);
        let previous = header("x-stella-signature-previous");
        if equal(signature, &expected) {
            add("X-Stella-Signature", true, "valid");
        } else if previous.is_some_and(|previous| equal(previous, &expected)) {
            add(
                "X-Stella-Signature",
                true,
                "valid for the previous secret, which is being rotated: switch to the new one",
            );
        } else if signature.eq_ignore_ascii_case(&expected) {
            add("X-Stella-Signature", false, "the case differs: the signature is lower-case hex");
        } else {
            let trimmed = std::str::from_utf8(body).map(str::trim_end).unwrap_or_default();
            let detail = if equal(signature, &secret.sign_body(trimmed.as_bytes())) {
                "the body has an extra line break at its end: verify the exact bytes"
            } else {
                "the secret or the body differs: verify the exact bytes, not re-serialised JSON"
            };
            add("X-Stella-Signature", false, detail);
        }
    }
    let standard = header("webhook-id").zip(header("webhook-timestamp")).zip(header("webhook-signature"));
    if let Some(((id, seconds), signatures)) = standard {
        let expected =
            seconds.parse().map(|seconds| secret.sign_standard(id, seconds, body)).unwrap_or_default();
        let passed = signatures.split(' ').any(|signature| equal(signature, &expected));
        let detail = if passed { "valid" } else { "no signature matches the secret and the body" };
        add("webhook-signature", passed, detail);
    }
    if checks.is_empty() {
        checks.push(Check {
            name: "signature",
            passed: false,
            detail: "no signature header: pass it as -H 'X-Stella-Signature: 5f…'".to_owned(),
        });
    }
    let at = header("x-stella-timestamp").and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let at = at.or_else(|| DateTime::from_timestamp(header("webhook-timestamp")?.parse().ok()?, 0));
    if let Some(at) = at {
        let age = now.signed_duration_since(at).num_seconds();
        let passed = age.abs() <= TOLERANCE_SECONDS;
        let detail = format!("signed {age} s ago; the tolerance is {TOLERANCE_SECONDS} s");
        checks.push(Check { name: TIME, passed, detail });
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_request_is_genuine_and_each_failure_is_explained() {
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
        let failures = |headers: &[(String, &str)], body: &[u8], now| -> Vec<String> {
            let failed = check(&secret, headers, body, now).into_iter().filter(|check| !check.passed);
            failed.map(|check| check.detail).collect()
        };
        assert!(failures(&headers, body, now).is_empty());
        let extended = failures(&headers, b"{\"id\":\"d\"}\n", now);
        assert!(extended[0].contains("line break"), "{extended:?}");
        assert_eq!(failures(&headers, b"{}", now).len(), 2);
        let late = now.checked_add_signed(chrono::TimeDelta::minutes(6)).unwrap();
        assert!(failures(&headers, body, late)[0].starts_with("signed 360 s ago"));
        assert!(failures(&[], body, now)[0].contains("no signature header"));
    }
}
