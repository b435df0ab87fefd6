//! Limits of the events in a request: names that can be keys, tags that a registry can have, at most 200
//! events, and no tags of signatures and attestations.

use super::senders::sender::Found;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::error::{Code, Error, Kind};

/// Events that one body may carry.
const MAX_EVENTS: usize = 200;
/// Bytes of a name that becomes part of a key.
const MAX_NAME_BYTES: usize = 512;
/// Addresses of a repository in one event.
pub(super) const MAX_ADDRESSES: usize = 8;
/// Characters of an image's tag.
const MAX_TAG: usize = 128;
const NO_REGISTRY_TAG: &str = "No registry can have this tag: tags have at most 128 letters, digits, dots, hyphens \
    and underscores, and begin with a letter, a digit or an underscore";
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
    if event.kind == EventKind::ArtifactPushed {
        if event.tag.as_deref().is_some_and(is_companion) {
            return Err("The tag is that of a signature or attestation, and not of a version");
        }
        if !event.tag.as_deref().is_none_or(is_registry_tag) {
            return Err(NO_REGISTRY_TAG);
        }
    }
    if let Some(request) = &mut event.pull_request {
        request.source_repository.take_if(|name| !is_name(name));
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
        &mut event.repository_state,
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

/// Whether a registry can have a tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}` (OCI distribution specification).
fn is_registry_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= MAX_TAG
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

/// Whether a tag is that of a signature or attestation of an image: `sha256-<hex>`, with `.sig`, `.att` or
/// `.sbom` by cosign, and without by the referrers of the OCI distribution specification.
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
        let tag =
            |length: usize| NormalisedEvent { kind: EventKind::GitTag, ..push("a", &"v".repeat(length)) };
        assert!(is_taken(push(&"a".repeat(512), "v1")) && is_taken(tag(512)));
        assert!(!is_taken(push(&"a".repeat(513), "v1")) && !is_taken(tag(513)));
        assert!(!is_taken(push("", "v1")));
        assert!(!is_taken(push("a\0b", "v1")));
        assert!(!is_taken(push("a", "v\n1")));
    }

    #[test]
    fn an_image_has_a_tag_that_a_registry_can_have() {
        for tag in ["v1.2.0", "1.2.3_build.5", "_a", &"v".repeat(128)] {
            assert!(is_taken(push("a", tag)), "{tag}");
        }
        for tag in ["a b", "feature/x", "../../etc", "-a", ".a", "1.0+5", "é", &"v".repeat(129)] {
            assert!(!is_taken(push("a", tag)), "{tag}");
            assert!(is_taken(NormalisedEvent { kind: EventKind::GitTag, ..push("a", tag) }), "{tag}");
        }
    }

    #[test]
    fn signatures_and_attestations_are_not_versions() {
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
    fn texts_that_are_only_shown_are_dropped_if_they_are_too_long() {
        let mut event = push("a", "v1");
        event.url = Some(format!("https://example.com/{}", "x".repeat(2_048)));
        event.pusher = Some("me".to_owned());
        let Ok(Found::Events(events)) = fit(Found::Events(vec![event])) else { panic!("left out") };
        assert_eq!((events[0].url.as_deref(), events[0].pusher.as_deref()), (None, Some("me")));
    }
}
