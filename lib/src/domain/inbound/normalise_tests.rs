//! What holds for every sender, and what the tests of the senders read their bodies with.

use std::path::PathBuf;

use http::HeaderMap;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::inbound::normalised::PipelineResult;
use crate::domain::inbound::senders::sender::Sender;
use crate::domain::inbound::senders::{GENERIC, SENDERS, digest};
use crate::error::{Code, Kind};

/// When the tests' requests come in.
pub(in crate::domain::inbound) fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_704_067_260, 0).unwrap()
}

fn read(webhook_type: WebhookType, provider: Provider, body: &[u8]) -> Result<Parsed, Error> {
    let headers = HeaderMap::new();
    let settings = Settings::of(webhook_type, provider);
    normalise(&Verified::was_verified_before(&headers, body), &settings, at())
}

/// A body of a sender, parsed.
pub(in crate::domain::inbound) fn parsed(sender: &'static Sender, body: &str) -> Parsed {
    read(sender.types[0], Provider::Named(sender), body.as_bytes()).expect("JSON")
}

/// The events in a body of a sender.
pub(in crate::domain::inbound) fn events(sender: &'static Sender, body: &str) -> Vec<NormalisedEvent> {
    match parsed(sender, body).found {
        Found::Events(events) => events,
        other @ (Found::Ping | Found::Handshake { .. } | Found::Ignored(_)) => {
            panic!("no events but {other:?}")
        }
    }
}

/// Why a body of a sender is ignored.
pub(in crate::domain::inbound) fn reason(sender: &'static Sender, body: &str) -> String {
    match parsed(sender, body).found {
        Found::Ignored(reason) => reason,
        other @ (Found::Ping | Found::Handshake { .. } | Found::Events(_)) => {
            panic!("not ignored but {other:?}")
        }
    }
}

/// The folder of a sender's bodies.
pub(in crate::domain::inbound) fn folder(sender: &Sender) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "events", "inbound", sender.page.name].iter().collect()
}

/// Asserts what the bodies of a sender's folder, no more and no fewer, normalise to: `<body>: <line>` for
/// each line.
pub(in crate::domain::inbound) fn assert_bodies(sender: &'static Sender, expected: &[&str]) {
    let name = |line: &str| line.split_once(": ").map(|(name, _)| name.to_owned());
    let mut expected: Vec<String> = expected.iter().map(|line| (*line).to_owned()).collect();
    expected.sort_by_key(|line| name(line));
    let mut found: Vec<String> = Vec::new();
    for file in std::fs::read_dir(folder(sender)).unwrap() {
        let path = file.unwrap().path();
        let body = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        found.extend(lines(&parsed(sender, &body).found).iter().map(|line| format!("{name}: {line}")));
    }
    found.sort_by_key(|line| name(line));
    assert_eq!(found, expected);
}

/// A line for each event; or one that says why there is none.
pub(in crate::domain::inbound) fn lines(found: &Found) -> Vec<String> {
    match found {
        Found::Events(events) => events.iter().map(line).collect(),
        Found::Ping => vec!["ping".to_owned()],
        Found::Handshake { validation_code } => vec![format!("handshake {validation_code}")],
        Found::Ignored(reason) => vec![format!("ignored: {reason}")],
    }
}

/// `kind registry/repository:tag@digest branch= commit= result= run= scope= by pusher at time`, without what
/// is absent. Commits and digests are cut, and an invalid digest begins with `?`.
fn line(event: &NormalisedEvent) -> String {
    let mut line = event.kind.name().to_owned();
    let mut add = |before: &str, text: Option<&str>| {
        line.push_str(&text.map(|text| format!("{before}{text}")).unwrap_or_default());
    };
    let registry = event.registry.as_deref().map(|registry| format!("{registry}/"));
    add(" ", Some(&format!("{}{}", registry.unwrap_or_default(), event.repository)));
    add(":", event.tag.as_deref());
    let digest = event.digest.as_deref().map(|digest| &digest[..digest.len().min(11)]);
    add(if event.digest_valid { "@" } else { "@?" }, digest);
    add(" branch=", event.branch.as_deref());
    add(" commit=", event.commit.as_deref().map(|commit| &commit[..commit.len().min(7)]));
    add(" result=", event.result.map(PipelineResult::name));
    let result = event.result.map(PipelineResult::name);
    add(" text=", event.result_text.as_deref().filter(|text| Some(*text) != result));
    add(" pipeline=", event.pipeline.as_deref());
    add(" run=", event.run.as_deref());
    add(" runId=", event.run_id.as_deref().filter(|id| Some(*id) != event.run.as_deref()));
    if let Some(request) = &event.pull_request {
        let number = request.number.map(|number| number.to_string()).unwrap_or_default();
        let fork = if request.may_be_of_fork() { " of a fork" } else { "" };
        add(" request=", Some(&format!("{number}{fork}")));
    }
    add(" before=", event.before.as_deref().map(|commit| &commit[..commit.len().min(7)]));
    add(" ", event.deleted.then_some("deleted"));
    add(" scope=", event.scope.as_deref());
    add(" by ", event.pusher.as_deref());
    add(" at ", event.pushed_at.map(|time| time.format("%FT%TZ").to_string()).as_deref());
    line
}

#[test]
fn every_provider_ignores_an_empty_object() {
    for (name, provider) in Provider::all() {
        for (_, webhook_type) in WebhookType::ALL {
            let answer = read(webhook_type, provider, b"{}");
            assert!(matches!(answer, Ok(Parsed { found: Found::Ignored(_), .. })), "{name}");
        }
    }
}

#[test]
fn a_senders_header_names_the_delivery() {
    for (sender, header) in [
        ("ghcr", "x-github-delivery"),
        ("gitea", "x-gitea-delivery"),
        ("forgejo", "x-forgejo-delivery"),
        ("github", "x-github-delivery"),
        ("gitlab", "idempotency-key"),
        ("gitlab", "webhook-id"),
        ("gitlab", "x-gitlab-webhook-uuid"),
        ("bitbucket", "x-request-uuid"),
        ("bitbucket", "x-request-id"),
        ("nexus", "x-nexus-webhook-delivery"),
        ("tekton", "ce-id"),
        ("cdevents", "ce-id"),
        ("generic", "idempotency-key"),
        ("generic", "webhook-id"),
        ("generic", "svix-id"),
    ] {
        let found = SENDERS.iter().find(|known| known.name == sender).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header, "7".parse().unwrap());
        let verified = Verified::was_verified_before(&headers, b"{}");
        let parsed =
            normalise(&verified, &Settings::of(found.types[0], Provider::Named(found)), at()).unwrap();
        assert_eq!(parsed.delivery_id.as_deref(), Some("7"), "{sender}: {header}");
    }
}

#[test]
fn more_than_two_hundred_events_are_refused_and_not_cut() {
    let body = Value::Array(vec![json!({"repository": "a/b", "tag": "v1"}); 201]).to_string();
    let error = read(WebhookType::Generic, Provider::Named(&GENERIC), body.as_bytes()).expect_err("refused");
    assert_eq!((error.kind, error.code), (Kind::TooLarge, Code::TooManyEvents));
}

/// JSON of the senders' own member names in any arrangement, so that readers get past their first check.
fn arranged() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["PUSH_ARTIFACT", "harbor.artifact.pushed", "sha256:", "a/b:c@d", "ping"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let names = vec![
            "push_data",
            "repository",
            "type",
            "event_data",
            "data",
            "resources",
            "resource_url",
            "repo_full_name",
            "tag",
            "digest",
            "images",
            "pushed_at",
            "occur_at",
            "kind",
            "namespace",
            "name",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(names), inner), 0..8).prop_map(|members| {
                Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

fn any_provider() -> impl Strategy<Value = Provider> {
    prop::sample::select(Provider::all().map(|(_, provider)| provider).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn no_bytes_panic(body: Vec<u8>, provider in any_provider()) {
        for (_, webhook_type) in WebhookType::ALL {
            let _ = read(webhook_type, provider, &body);
        }
    }

    #[test]
    fn no_json_panics_and_events_are_always_named(body in arranged(), provider in any_provider()) {
        if let Ok(parsed) = read(WebhookType::RegistryPush, provider, body.to_string().as_bytes()) {
            for event in parsed.events() {
                prop_assert!(!event.repository.is_empty() && event.repository.len() <= 512);
                prop_assert_eq!(event.digest_valid, event.digest.as_deref().is_some_and(digest::is_valid));
                prop_assert_eq!(event.received_at, at());
            }
            prop_assert!(!matches!(&parsed.found, Found::Events(events) if events.is_empty()));
        }
    }
}
