//! The fuzz targets of the domain's rules: no input makes them panic, and what they accept obeys the laws.

use chrono::{DateTime, Duration};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stella::domain::shared::address::{self, Host};
use stella::domain::releases::component::{self, Component};
use stella::domain::outbound::delivery::Delivery;
use stella::domain::outbound::event::Event;
use stella::domain::shared::expression::{Budget, MAX_STEPS, MAX_VISITS, Node, Path, Pattern, Verdict};
use stella::domain::shared::object_reader::ObjectReader;
use stella::domain::shared::filter::Filter;
use stella::domain::shared::headers::CustomHeaders;
use stella::domain::inbound::queued_request::QueuedRequest;
use stella::domain::outbound::message::{AttemptDue, Command};
use stella::domain::outbound::outcome::RetryAfter;
use stella::domain::releases::channel::channel_of;
use stella::domain::releases::release::Release;
use stella::domain::releases::tag_version::version_of;
use stella::domain::shared::retry::{MAX_DELAY_SECONDS, RetryPolicy};
use stella::domain::outbound::subscription::{self, Subscription};
use stella::domain::shared::target::{EgressPolicy, Target};
use stella::domain::releases::version::TagState;
use stella::domain::inbound::config::{self, Config};
use stella::domain::outbound::recovery;
use stella::domain::releases::trigger;

/// All rules, by the name of their target.
pub(crate) const ALL: [(&str, fn(&str)); 9] = [
    ("rule_bodies", bodies),
    ("rule_expressions", expressions),
    ("rule_filters", filters),
    ("rule_headers", headers),
    ("rule_items", items),
    ("rule_messages", messages),
    ("rule_retries", retries),
    ("rule_tags", tags),
    ("rule_urls", urls),
];

/// A filter, a line break, and the document on which it is evaluated.
fn filters(input: &str) {
    let (filter, document) = input.split_once('\n').unwrap_or((input, "null"));
    let Ok(filter) = serde_json::from_str::<Value>(filter) else { return };
    let document: Value = serde_json::from_str(document).unwrap_or(Value::Null);
    let mut fields = ObjectReader::of(&filter);
    let Some(read) = Filter::parse(&mut fields) else { return };
    let first = evaluate(&read, &document);
    let again: Filter = serde_json::from_value(serde_json::to_value(&read).expect("a filter")).expect("a filter");
    assert_eq!(evaluate(&again, &document), first, "a filter means the same when it is read again");
}

fn evaluate(filter: &Filter, document: &Value) -> Verdict {
    let mut budget = Budget::default();
    let verdict = filter.verdict(Node::Value(document), &mut budget);
    assert_within(&budget);
    verdict
}

fn assert_within(budget: &Budget) {
    let (visits, steps) = budget.spent();
    assert!(visits <= MAX_VISITS && steps <= MAX_STEPS, "{visits} visits, {steps} steps");
}

/// A JSONPath, a line break, a regular expression, a line break, and the document or text on which they are
/// evaluated. Searches for expressions that cost more than the known ones: none may exceed its budget, and a
/// smaller budget may not change the result, except to a failure.
fn expressions(input: &str) {
    let mut parts = input.splitn(3, '\n');
    let (path, pattern, text) = (parts.next(), parts.next(), parts.next());
    let text = text.unwrap_or_default();
    if let Some(path) = path.and_then(|path| Path::json(path).ok()) {
        let document = serde_json::from_str(text).unwrap_or_else(|_| many(text));
        agree(|budget| path.any(Node::Value(&document), budget, |node, _| Ok(node.text() == Some("nowhere"))).into());
    }
    if let Some(pattern) = pattern.and_then(|pattern| Pattern::parse(pattern).ok()) {
        assert!(pattern.max_text() >= 512);
        agree(|budget| pattern.verdict(text, budget));
        let longest = text.repeat(pattern.max_text().checked_div(text.len()).unwrap_or(0));
        agree(|budget| match pattern.verdict(&longest, budget) {
            Verdict::Failed(failure) => panic!("a text of {} bytes fails: {failure}", longest.len()),
            verdict => verdict,
        });
    }
}

/// A large document made of a text's characters.
fn many(text: &str) -> Value {
    let letters: Vec<Value> = text.chars().take(64).map(|letter| json!({"a": letter.to_string(), "b": [letter.to_string()]})).collect();
    json!(vec![Value::from(letters); 500])
}

/// A smaller budget gives the same result, or fails.
fn agree(evaluate: impl Fn(&mut Budget) -> Verdict) {
    let mut whole = Budget::default();
    let verdict = evaluate(&mut whole);
    assert_within(&whole);
    let (visits, steps) = whole.spent();
    let mut enough = Budget::of(visits, steps);
    assert_eq!(evaluate(&mut enough), verdict, "what was spent is enough");
}

/// A retry policy, a line break, and a value of `Retry-After`.
fn retries(input: &str) {
    let (policy, header) = input.split_once('\n').unwrap_or((input, ""));
    let Ok(body) = serde_json::from_str::<Value>(policy) else { return };
    let policy = RetryPolicy::parse(&mut ObjectReader::of(&body)).expect("every member has a default");
    let now = DateTime::from_timestamp(1_704_067_200, 0).expect("a time");
    let asked = RetryAfter::parse(header).map(|after| after.from(now));
    let most = Duration::seconds(i64::from(MAX_DELAY_SECONDS) * 6 / 5);
    let mut before = Duration::zero();
    for next in 2..=25 {
        let least = policy.delay_before(next, 0, None);
        assert!(least >= before, "delays do not shrink");
        for random in [0, u64::MAX / 2, u64::MAX] {
            let delay = policy.delay_before(next, random, asked);
            assert!(delay >= least && delay <= most, "{delay}");
        }
        before = least;
    }
}

/// A tag.
fn tags(input: &str) {
    assert!(!channel_of(&[], input, &mut Budget::default()).is_empty());
    if let Some(version) = version_of(input) {
        assert_eq!(version_of(&version.to_string()), Some(version), "a version reads as itself");
    }
}

/// A URL.
fn urls(input: &str) {
    let Ok(target) = Target::vet(input, &EgressPolicy::default()) else { return };
    assert_eq!(target.uri().scheme_str(), Some("https"));
    assert!([443, 8443].contains(&target.port()), "{target:?}");
    if let Host::Address(ip) = target.host() {
        assert_eq!(address::blocked(*ip), None, "{target:?}");
    }
}

/// The headers of a subscription.
fn headers(input: &str) {
    let Ok(value) = serde_json::from_str::<Value>(input) else { return };
    let body = json!({"headers": value});
    let mut fields = ObjectReader::of(&body);
    let Some(headers) = CustomHeaders::parse(&mut fields) else { return };
    if fields.finish().is_err() {
        return;
    }
    for (name, value) in headers.iter() {
        name.parse::<http::HeaderName>().expect("a header's name");
        http::HeaderValue::from_str(value).expect("a header's value");
        let name = name.to_ascii_lowercase();
        assert!(!name.starts_with("x-stella-") && !name.starts_with("webhook-"), "{name}");
        assert!(!["host", "content-length", "connection", "transfer-encoding"].contains(&name.as_str()), "{name}");
    }
}

/// The body of a request.
fn bodies(input: &str) {
    let Ok(body) = serde_json::from_str::<Value>(input) else { return };
    let now = DateTime::from_timestamp(1_704_067_200, 0).expect("a time");
    let _ = component::parse(&body);
    let _ = recovery::Criteria::parse(&body, now);
    let _ = subscription::parse(&body, false);
    let _ = trigger::parse(&body);
    let _ = config::parse(&body, false);
}

/// An item that can be read is the same after it was written and read again.
fn holds<T: DeserializeOwned + Serialize>(input: &str) {
    let Ok(item) = serde_json::from_str::<T>(input) else { return };
    let written = serde_json::to_value(&item).expect("what is read can be written");
    let again: T = serde_json::from_value(written.clone()).expect("what is written can be read");
    assert_eq!(serde_json::to_value(&again).expect("an item"), written);
}

/// A message of a queue, which another version may have written.
fn messages(input: &str) {
    holds::<AttemptDue>(input);
    holds::<Command>(input);
    holds::<QueuedRequest>(input);
    if let Ok(request) = serde_json::from_str::<QueuedRequest>(input) {
        let _ = request.packed_body();
    }
}

/// A stored item, which another version may have written.
fn items(input: &str) {
    holds::<Component>(input);
    holds::<Config>(input);
    holds::<Delivery>(input);
    holds::<Event>(input);
    holds::<Release>(input);
    holds::<Subscription>(input);
    holds::<TagState>(input);
}
