//! Every config and every body that the pages of `docs/senders` show is used, so that no page goes stale.

use http::{HeaderMap, HeaderName};
use serde_json::Value;

use super::SENDERS;
use super::sender::Sender;
use crate::domain::inbound::auth::verified::Verified;
use crate::domain::inbound::config::{Spec, parse};
use crate::domain::inbound::normalise::tests::{at, events, folder, lines};
use crate::domain::inbound::normalise::{Settings, normalise};
use crate::domain::inbound::senders::GENERIC;
use crate::domain::shared::expression::Budget;
use crate::domain::shared::filter;

/// What configs with a mapping read: the config's name, the body in `events/inbound/generic`, and the event.
const MAPPED: [(&str, &str, &str); 5] = [
    ("mine", "image-by-parts", "artifact.pushed ghcr.io/myorg/myapp:v1.2.0@sha256:34bd"),
    ("diun", "image-update", "artifact.pushed ghcr.io/myorg/myapp:v1.2.0@sha256:34bd"),
    (
        "drone",
        "drone",
        "ci.finished myorg/myapp branch=main commit=6f2d1c0 result=success run=7 at 2024-01-01T00:00:00Z",
    ),
    (
        "drone",
        "drone-pull-request",
        "ci.finished myorg/myapp branch=main commit=6f2d1c0 result=success run=7 request=5 of a fork at 2024-01-01T00:00:00Z",
    ),
    ("drone", "drone-running", "excluded by a filter"),
];

/// The senders, one for each page.
fn pages() -> impl Iterator<Item = &'static Sender> {
    SENDERS.iter().copied().enumerate().filter_map(|(index, sender)| {
        let is_first = !SENDERS.iter().take(index).any(|earlier| earlier.page.name == sender.page.name);
        is_first.then_some(sender)
    })
}

/// The texts between `start` and the end of a code block.
fn blocks<'p>(page: &'p str, start: &str) -> Vec<&'p str> {
    page.split(start).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The configs that a page shows.
fn configs(sender: &Sender) -> Vec<Spec> {
    let read = |text: &str| {
        let body: Value =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{sender:?}: {error}: {text}"));
        parse(&body, false).unwrap_or_else(|error| panic!("{sender:?}: {error:?}")).0
    };
    blocks(sender.page.text, "POST /api/v1/webhook-configs\n").into_iter().map(read).collect()
}

/// What a config reads in a body.
fn read(spec: &Spec, said: &[(&str, &str)], body: &str) -> Vec<String> {
    let headers: HeaderMap = said
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
        .collect();
    let verified = Verified::was_verified_before(&headers, body.as_bytes());
    let parsed = normalise(&verified, &Settings::from(spec), at()).expect("JSON");
    assert_eq!(parsed.failures, None, "{}", spec.name);
    let is_wanted = parsed.events().iter().all(|event| {
        let document = event.document(&parsed.payload);
        filter::all_match(&spec.filters, "", document.root(), &mut Budget::default())
    });
    if is_wanted { lines(&parsed.found) } else { vec!["excluded by a filter".to_owned()] }
}

#[test]
fn every_config_of_a_page_reads_the_senders_examples() {
    for sender in pages() {
        for spec in configs(sender).iter().filter(|spec| spec.mapping.is_none()) {
            for example in sender.examples {
                let found = read(spec, example.headers, example.body);
                assert!(
                    !found[0].contains("ignored") && !found[0].contains("excluded"),
                    "{sender:?}: {found:?}"
                );
            }
        }
    }
}

#[test]
fn every_config_with_a_mapping_reads_the_bodies_that_it_is_for() {
    let configs: Vec<Spec> = pages().flat_map(configs).filter(|spec| spec.mapping.is_some()).collect();
    for spec in &configs {
        assert!(MAPPED.iter().any(|(name, ..)| *name == spec.name), "{} is not in the table", spec.name);
    }
    for (name, body, expected) in MAPPED {
        let spec =
            configs.iter().find(|spec| spec.name == name).unwrap_or_else(|| panic!("no config {name}"));
        let body = std::fs::read_to_string(folder(&GENERIC).join(format!("{body}.json"))).unwrap();
        assert_eq!(read(spec, &[], &body), [expected], "{name}");
    }
}

#[test]
fn every_body_of_the_generic_page_is_read_as_the_normalised_form() {
    let bodies = blocks(GENERIC.page.text, "```json\n");
    assert_eq!(bodies.len(), 2);
    for body in bodies {
        assert_eq!(events(&GENERIC, body).len(), 1, "{body}");
    }
}

#[test]
fn every_page_shows_a_config() {
    for sender in pages() {
        assert!(!configs(sender).is_empty(), "{sender:?}");
    }
}
