//! What holds for every sender, and what the senders' own tests read bodies with.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::error::{Code, Kind};

/// When the tests' requests come in.
pub(super) fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_704_067_260, 0).unwrap()
}

fn read(webhook_type: WebhookType, provider: Provider, body: &[u8]) -> Result<Parsed, Error> {
    let headers = HeaderMap::new();
    normalise(&Verified::was_verified_before(&headers, body), webhook_type, provider, None, at())
}

/// What a registry's body says.
pub(super) fn parsed(provider: Provider, body: &str) -> Parsed {
    read(WebhookType::RegistryPush, provider, body.as_bytes()).expect("read")
}

/// The events in a registry's body.
pub(super) fn events(provider: Provider, body: &str) -> Vec<NormalisedEvent> {
    match parsed(provider, body).found {
        Found::Events(events) => events,
        other @ (Found::Ping | Found::Handshake { .. } | Found::Ignored(_)) => {
            panic!("no events but {other:?}")
        }
    }
}

/// Why a registry's body is ignored.
pub(super) fn reason(provider: Provider, body: &str) -> String {
    match parsed(provider, body).found {
        Found::Ignored(reason) => reason,
        other @ (Found::Ping | Found::Handshake { .. } | Found::Events(_)) => {
            panic!("not ignored but {other:?}")
        }
    }
}

/// What a sender's body says, a line for each event; or why it says nothing.
pub(super) fn lines(webhook_type: WebhookType, provider: Provider, body: &str) -> Vec<String> {
    match read(webhook_type, provider, body.as_bytes()).expect("read").found {
        Found::Events(events) => events.iter().map(line).collect(),
        Found::Ping => vec!["ping".to_owned()],
        Found::Handshake { validation_code } => vec![format!("handshake {validation_code}")],
        Found::Ignored(reason) => vec![format!("nothing: {reason}")],
    }
}

/// `kind registry/repository:tag@digest (branch, commit, result, run, scope) by pusher at time`, as far as told.
fn line(event: &NormalisedEvent) -> String {
    let mut line = event.kind.name().to_owned();
    let mut add = |before: &str, text: Option<&str>| {
        line.push_str(&text.map(|text| format!("{before}{text}")).unwrap_or_default());
    };
    let registry = event.registry.as_deref().map(|registry| format!("{registry}/"));
    add(" ", Some(&format!("{}{}", registry.unwrap_or_default(), event.repository)));
    add(":", event.tag.as_deref());
    add(if event.digest_valid { "@" } else { "@?" }, event.digest.as_deref());
    add(" branch=", event.branch.as_deref());
    add(" commit=", event.commit.as_deref().map(|commit| &commit[..commit.len().min(7)]));
    add(" result=", event.result.as_deref());
    add(" run=", event.run.as_deref());
    add(" scope=", event.scope.as_deref());
    add(" by ", event.pusher.as_deref());
    add(" at ", event.pushed_at.map(|time| time.format("%FT%TZ").to_string()).as_deref());
    line
}

#[test]
fn auto_goes_by_the_shape() {
    let repository = |body: Value| events(Provider::Auto, &body.to_string()).remove(0).repository;
    let hub = json!({"push_data": {"tag": "1"}, "repository": {"namespace": "hub", "name": "a"}});
    assert_eq!(repository(hub), "hub/a");
    let data = json!({"repository": {"repo_full_name": "harbor/a"}, "resources": [{"tag": "1"}]});
    assert_eq!(repository(json!({"type": "PUSH_ARTIFACT", "event_data": data})), "harbor/a");
    assert_eq!(repository(json!({"type": "harbor.artifact.pushed", "data": data})), "harbor/a");
    assert_eq!(repository(json!({"repository": "generic/a", "type": "push"})), "generic/a");
}

#[test]
fn whatever_a_config_may_name_can_be_read() {
    for (name, provider) in Provider::ALL {
        for (_, webhook_type) in WebhookType::ALL {
            let answer = read(webhook_type, provider, b"{}");
            assert!(matches!(answer, Ok(Parsed { found: Found::Ignored(_), .. })), "{name}");
        }
    }
}

#[test]
fn more_than_two_hundred_events_are_refused_and_not_cut() {
    let body = Value::Array(vec![json!({"repository": "a/b", "tag": "v1"}); 201]).to_string();
    let error = read(WebhookType::Generic, Provider::Generic, body.as_bytes()).expect_err("refused");
    assert_eq!((error.kind, error.code), (Kind::TooLarge, Code::TooManyEvents));
}

/// JSON of the senders' own words in any arrangement, so that it gets past the first look.
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

fn anybody() -> impl Strategy<Value = Provider> {
    prop::sample::select(Provider::ALL.map(|(_, provider)| provider).to_vec())
}

proptest! {
    #[test]
    fn no_bytes_panic(body: Vec<u8>, provider in anybody()) {
        for (_, webhook_type) in WebhookType::ALL {
            let _ = read(webhook_type, provider, &body);
        }
    }

    #[test]
    fn no_json_panics_and_events_are_always_named(body in arranged(), provider in anybody()) {
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
