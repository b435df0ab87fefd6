//! The fuzz targets: each sender's reader, which must refuse or read any input by the laws of normalised
//! events, and the rules of the domain.

pub mod rules;

pub use libfuzzer_sys;

use std::sync::OnceLock;

use chrono::DateTime;
use http::{HeaderMap, HeaderName, HeaderValue};
use stella::domain::inbound::normalise::{Settings, normalise};
use stella::domain::inbound::provider::Provider;
use stella::domain::inbound::scheme::Scheme;
use stella::domain::inbound::auth::verified::Verified;
use stella::domain::inbound::auth::verify::{Live, Request, verify};
use stella::domain::inbound::senders::digest;
use stella::domain::inbound::webhook_type::WebhookType;
use stella::domain::inbound::{dedup, redact};

/// Passes input to a sender's reader. If the first line ends with a carriage return, it is a header's value;
/// the rest is the body.
pub fn feed(provider: Provider, input: &[u8]) {
    let (value, body) = match input.iter().position(|byte| *byte == b'\r') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (&b""[..], input),
    };
    let now = DateTime::from_timestamp(1_704_067_200, 0).expect("a time");
    for (_, webhook_type) in WebhookType::ALL.into_iter().filter(|(_, kind)| provider.fits(*kind)) {
        refuse(&Scheme::of(provider, webhook_type, None, None, None), value, body);
        for kind in ["application/json", "application/x-www-form-urlencoded"] {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", HeaderValue::from_static(kind));
            let verified = Verified::was_verified_before(&headers, body);
            let Ok(parsed) = normalise(&verified, &Settings::of(webhook_type, provider), now) else { continue };
            for (index, event) in parsed.events().iter().enumerate() {
                assert!(!event.repository.is_empty() && event.repository.len() <= 512);
                assert_eq!(event.digest_valid, event.digest.as_deref().is_some_and(digest::is_valid));
                let dedup_keys = dedup::dedup_keys(parsed.delivery_id.as_deref(), event, "", index);
                assert!(!dedup_keys.is_empty());
            }
        }
    }
    assert!(redact::body(body).len() <= body.len().saturating_mul(12));
}

/// Made-up input must not authenticate.
fn refuse(scheme: &Scheme, value: &[u8], body: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(value) else { return };
    let mut headers = HeaderMap::new();
    for header in scheme.headers() {
        headers.insert(header.parse::<HeaderName>().expect("a header"), value.clone());
    }
    for name in ["webhook-id", "webhook-timestamp", "date", "digest"] {
        headers.insert(name, value.clone());
    }
    let request = Request { headers: &headers, body, url_token: None };
    let live = Live { secrets: &["a secret that nobody guesses"], ..Live::default() };
    let now = DateTime::from_timestamp(1_704_067_200, 0).expect("a time");
    assert!(verify(scheme, request, live, now).is_err());
}

/// A fuzz target.
enum Target {
    Sender(Provider),
    Rule(fn(&str)),
}

static CHOSEN: OnceLock<Target> = OnceLock::new();

/// All targets, by name.
fn targets() -> impl Iterator<Item = (&'static str, Target)> {
    let senders = Provider::all().map(|(name, provider)| (name, Target::Sender(provider)));
    senders.chain(rules::ALL.into_iter().map(|(name, rule)| (name, Target::Rule(rule))))
}

/// Chooses the target that the variable `TARGET` names. `list` prints the names of all.
pub fn choose() {
    let wanted = std::env::var("TARGET").expect("TARGET names what is fuzzed");
    if wanted == "list" {
        targets().for_each(|(name, _)| println!("{name}"));
        std::process::exit(0);
    }
    let found = targets().find(|(name, _)| *name == wanted);
    let (_, target) = found.unwrap_or_else(|| panic!("there is no target {wanted}"));
    assert!(CHOSEN.set(target).is_ok(), "a target is chosen once");
}

/// Passes input to the chosen target. Rules get only input that is text.
pub fn run(input: &[u8]) {
    match CHOSEN.get().expect("a target") {
        Target::Sender(provider) => feed(*provider, input),
        Target::Rule(rule) => {
            if let Ok(text) = std::str::from_utf8(input) {
                rule(text);
            }
        }
    }
}
