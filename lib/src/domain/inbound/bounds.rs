//! Limits of the events in a request: names that can be keys, at most 200 events, and no tags of signatures
//! and attestations.

use super::senders::sender::Found;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::error::{Code, Error, Kind};

/// Events that one body may carry.
const MAX_EVENTS: usize = 200;
/// Bytes of a name that becomes part of a key.
const MAX_NAME_BYTES: usize = 512;
/// Addresses of a repository in one event.
pub(super) const MAX_ADDRESSES: usize = 8;
/// Bytes of texts that are only shown.
const MAX_TEXT_BYTES: usize = 2_048;

/// What a reader found, within the limits.
pub(super) fn fit(found: Found) -> Result<Found, Error> {
    let Found::Events(events) = found else { return Ok(found) };
    if events.len() > MAX_EVENTS {
        let detail = format!("A body may carry at most {MAX_EVENTS} events");
        return Err(Error::new(Kind::TooLarge, Code::TooManyEvents, detail));
    }
    let mut reason = "The body has no events";
    let mut fitting = Vec::with_capacity(events.len());
    for event in events {
        match fit_event(event) {
            Ok(event) => fitting.push(event),
            Err(why) => reason = why,
        }
    }
    Ok(if fitting.is_empty() { Found::Ignored(reason.to_owned()) } else { Found::Events(fitting) })
}

fn fit_event(mut event: NormalisedEvent) -> Result<NormalisedEvent, &'static str> {
    if event.repository.is_empty() || !is_name(&event.repository) {
        return Err("The repository's name is empty, too long, or has control characters");
    }
    // A shortened or forgotten tag would be another tag.
    if !event.tag.as_deref().is_none_or(is_name) {
        return Err("The tag is too long or has control characters");
    }
    if event.kind == EventKind::ArtifactPushed && event.tag.as_deref().is_some_and(is_companion) {
        return Err("The tag is that of a signature or attestation, and no version");
    }
    for name in [
        &mut event.registry,
        &mut event.commit,
        &mut event.branch,
        &mut event.reference,
        &mut event.run,
        &mut event.result_text,
        &mut event.pipeline,
        &mut event.run_id,
        &mut event.before,
    ] {
        name.take_if(|name| !is_name(name));
    }
    event.addresses.truncate(MAX_ADDRESSES);
    event.addresses.retain(|address| is_name(address));
    for text in [&mut event.pusher, &mut event.url] {
        text.take_if(|text| text.len() > MAX_TEXT_BYTES || text.contains(char::is_control));
    }
    Ok(event)
}

fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES && !name.contains(char::is_control)
}

/// Whether a tag only hangs something onto an image: `sha256-<hex>`, with `.sig`, `.att` or `.sbom` by
/// cosign, and bare by the distribution specification's referrers.
fn is_companion(tag: &str) -> bool {
    let Some(rest) = tag.strip_prefix("sha256-") else { return false };
    let (hex, suffix) = rest.split_once('.').unwrap_or((rest, ""));
    hex.len() == 64
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
        && matches!(suffix, "" | "sig" | "att" | "sbom")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn push(repository: &str, tag: &str) -> NormalisedEvent {
        let mut event = NormalisedEvent::new(EventKind::ArtifactPushed, repository, DateTime::default());
        event.tag = Some(tag.to_owned());
        event
    }

    fn is_taken(event: NormalisedEvent) -> bool {
        matches!(fit(Found::Events(vec![event])), Ok(Found::Events(_)))
    }

    #[test]
    fn names_that_cannot_be_keys_are_left_out() {
        assert!(is_taken(push(&"a".repeat(512), &"v".repeat(512))));
        assert!(!is_taken(push(&"a".repeat(513), "v1")));
        assert!(!is_taken(push("a", &"v".repeat(513))));
        assert!(!is_taken(push("", "v1")));
        assert!(!is_taken(push("a\0b", "v1")));
        assert!(!is_taken(push("a", "v\n1")));
    }

    #[test]
    fn signatures_and_attestations_are_no_versions() {
        let companion = |suffix: &str| push("a", &format!("sha256-{}{suffix}", "0a".repeat(32)));
        for suffix in ["", ".sig", ".att", ".sbom"] {
            assert!(!is_taken(companion(suffix)), "{suffix}");
        }
        assert!(is_taken(companion(".other")));
        assert!(is_taken(push("a", "sha256-short.sig")));
        let mut deleted = companion(".sig");
        deleted.kind = EventKind::ArtifactDeleted;
        assert!(is_taken(deleted));
    }

    #[test]
    fn two_hundred_events_are_taken_and_no_more() {
        let many = |count| Found::Events(vec![push("a", "v1"); count]);
        assert!(matches!(fit(many(200)), Ok(Found::Events(events)) if events.len() == 200));
        assert_eq!(fit(many(201)).map_err(|error| error.kind), Err(Kind::TooLarge));
        assert!(matches!(fit(many(0)), Ok(Found::Ignored(_))));
    }

    #[test]
    fn what_is_only_told_on_is_dropped_when_it_is_too_much() {
        let mut event = push("a", "v1");
        event.url = Some(format!("https://example.com/{}", "x".repeat(2_048)));
        event.pusher = Some("me".to_owned());
        let Ok(Found::Events(events)) = fit(Found::Events(vec![event])) else { panic!("left out") };
        assert_eq!((events[0].url.as_deref(), events[0].pusher.as_deref()), (None, Some("me")));
    }
}
