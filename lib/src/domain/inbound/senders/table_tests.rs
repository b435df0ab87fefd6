//! What every entry of the table of senders must have.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::refusals::genuine;
use super::sender::{AUTO, Sender};
use super::{GENERIC, SENDERS, recognise};
use crate::domain::inbound::config::parse;
use crate::domain::inbound::normalise::tests::{folder, parsed};
use crate::domain::inbound::provider::Provider;
use crate::domain::inbound::scheme::Scheme;

/// The headings of a page, in this order; others may be between them.
const HEADINGS: [&str; 5] = ["Set it up", "Authentication", "Events", "Test", "Notes"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The bodies of a sender's folder, by the names of their files.
fn bodies(sender: &Sender) -> Vec<(String, Value)> {
    let files = fs::read_dir(folder(sender)).unwrap_or_else(|error| panic!("{sender:?}: {error}"));
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, serde_json::from_slice(&fs::read(path).unwrap()).expect("JSON"))
    };
    files.map(|file| read(file.unwrap().path())).collect()
}

#[test]
fn every_sender_has_a_name_and_a_title_of_its_own() {
    let names: BTreeSet<&str> = SENDERS.iter().map(|sender| sender.name).collect();
    let titles: BTreeSet<&str> = SENDERS.iter().map(|sender| sender.title).collect();
    assert_eq!((names.len(), titles.len()), (SENDERS.len(), SENDERS.len()));
    for sender in SENDERS {
        assert!(!sender.types.is_empty(), "{sender:?}");
        assert!(sender.provider == sender.name || sender.provider == AUTO, "{sender:?}");
    }
}

#[test]
fn a_sender_named_by_its_config_type_shares_it_with_no_other_such_sender() {
    let by_type = SENDERS.iter().filter(|sender| sender.provider == AUTO);
    let types: Vec<&str> = by_type.clone().flat_map(|sender| sender.types).map(|kind| kind.name()).collect();
    let distinct: BTreeSet<&str> = types.iter().copied().collect();
    assert_eq!((types.len(), distinct.len()), (by_type.count(), types.len()));
}

#[test]
fn every_sender_has_a_page_with_the_usual_headings_and_a_config_that_is_accepted() {
    for sender in SENDERS {
        let text = sender.page.text;
        let mut rest = text;
        for heading in HEADINGS {
            let found = rest.split_once(&format!("\n## {heading}\n"));
            rest = found.unwrap_or_else(|| panic!("{sender:?}: {heading} is missing or in another place")).1;
        }
        let (_, request) = text.split_once("POST /api/v1/webhook-configs\n").expect("a request");
        let body: Value = serde_json::from_str(request.lines().next().unwrap().trim()).expect("JSON");
        let (spec, _) = parse(&body, false).unwrap_or_else(|error| panic!("{sender:?}: {error:?}"));
        let shown = spec.provider.sender(spec.webhook_type).expect("a sender");
        assert_eq!(shown.page.name, sender.page.name, "{sender:?}");
    }
}

#[test]
fn the_index_lists_every_page_and_no_other() {
    let folder = repository().join("docs/senders");
    let index = fs::read_to_string(folder.join("README.md")).unwrap();
    let listed: BTreeSet<&str> = index
        .lines()
        .filter_map(|line| line.strip_prefix("- [")?.split_once("](")?.1.strip_suffix(".md)"))
        .collect();
    let pages: BTreeSet<&str> = SENDERS.iter().map(|sender| sender.page.name).collect();
    assert_eq!(listed, pages);
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let there = files.filter(|path| !path.ends_with("README.md"));
    assert_eq!(there.count(), pages.len(), "a page without a sender");
}

/// The fuzzer's seeds of every sender are all bodies of `events/inbound`.
#[test]
fn every_sender_has_bodies_that_have_events_and_seed_the_fuzzer() {
    for sender in SENDERS {
        let has_events = |body: &Value| !parsed(sender, &body.to_string()).events().is_empty();
        assert!(bodies(sender).iter().any(|(_, body)| has_events(body)), "{sender:?}");
    }
    let script = fs::read_to_string(repository().join("fuzz/run")).unwrap();
    assert!(script.contains("../events/inbound/*"));
    let folders = fs::read_dir(repository().join("events/inbound")).unwrap();
    let there: BTreeSet<String> = folders.map(|at| at.unwrap().file_name().into_string().unwrap()).collect();
    let used: BTreeSet<String> = SENDERS.iter().map(|sender| sender.page.name.to_owned()).collect();
    assert_eq!(there, used);
}

#[test]
fn every_sender_has_examples_or_the_bodies_of_one_that_has() {
    for sender in SENDERS {
        let relative = SENDERS.iter().find(|other| other.page.name == sender.page.name).unwrap();
        assert!(!relative.examples.is_empty(), "{sender:?}");
        for example in sender.examples {
            serde_json::from_str::<Value>(example.body).expect("JSON");
        }
    }
}

#[test]
fn a_body_is_recognised_as_no_other_senders() {
    for owner in SENDERS {
        for (name, body) in bodies(owner) {
            let recognising: Vec<_> = SENDERS
                .iter()
                .filter(|sender| sender.recognises.is_some_and(|recognises| recognises(&body)))
                .collect();
            assert!(recognising.len() <= 1, "{owner:?} {name}: {recognising:?}");
            // GitHub's packages are its registry's.
            let by = recognise(&body);
            let is_owners = by.page.name == owner.page.name || *by == GENERIC || by.name == "ghcr";
            assert!(is_owners, "{owner:?} {name}: {by:?}");
        }
    }
}

#[test]
fn every_sender_that_recognises_bodies_recognises_an_example() {
    for sender in SENDERS.iter().filter(|sender| sender.recognises.is_some()) {
        let is_its = |text: &str| *recognise(&serde_json::from_str(text).unwrap()) == **sender;
        assert!(sender.examples.iter().any(|example| is_its(example.body)), "{sender:?}");
    }
}

/// `refusals` changes these requests in every way and proves that each is refused.
#[test]
fn every_sender_with_a_secret_has_requests_whose_forgeries_are_refused() {
    for sender in SENDERS {
        let provider = Provider::of(sender.provider).unwrap();
        let scheme = Scheme::of(provider, sender.types[0], None, None, None);
        let requests = genuine(&scheme, &scheme).len();
        let ways = if scheme.needs_secret() { sender.alternatives.len() + 1 } else { 0 };
        assert_eq!(requests, ways, "{sender:?}");
    }
}
