//! Any other sender: a body in the normalised form, or one that the config's mapping describes.

use std::cell::OnceCell;

use serde_json::Value;

use super::preset::Preset;
use super::pull_request::{number_in, run_of};
use super::reference::Image;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::{digest, reference, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent, RunOfPullRequest};
use crate::domain::inbound::webhook_type::WebhookType;

/// Headers by which senders name a delivery. The last two are Standard Webhooks' and its older name.
const DELIVERY_ID_HEADERS: [&str; 3] = ["idempotency-key", "webhook-id", "svix-id"];

/// Any other sender: the normalised form, or what the mapping of the config finds.
pub static GENERIC: Sender = Sender {
    name: "generic",
    provider: "generic",
    title: "Generic webhook",
    types: &[
        WebhookType::Generic,
        WebhookType::RegistryPush,
        WebhookType::CiPipeline,
        WebhookType::GithubApp,
        WebhookType::GitlabWebhook,
    ],
    authentication: Preset::UrlToken,
    alternatives: &[],
    recognises: None,
    read,
    results: USUAL,
    time_is_push: false,
    replay_protection: ReplayProtection::Body,
    page: page!("generic"),
    examples: &[example!("generic", "normalised")],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    let whole = Item { request, value: request.payload, index: None, as_written: &OnceCell::new() };
    let mapped = request.mapping.and_then(|_| whole.text("deliveryId"));
    let header = || DELIVERY_ID_HEADERS.into_iter().find_map(|name| request.header(name));
    let delivery_id = mapped.or_else(|| header().map(str::to_owned));
    Reading { delivery_id, found: found(request) }
}

fn found(request: &SenderRequest<'_>) -> Found {
    let as_written = OnceCell::new();
    let item = |value, index| Item { request, value, index, as_written: &as_written };
    let items: Vec<Item<'_>> = match request.payload {
        Value::Array(items) if request.mapping.is_none() => {
            items.iter().enumerate().map(|(index, value)| item(value, Some(index))).collect()
        }
        payload => vec![item(payload, None)],
    };
    let mut events = Vec::new();
    let mut other = Found::Ignored("The body has no events".to_owned());
    for item in &items {
        match event(item) {
            Ok(event) => events.push(event),
            Err(found) => other = found,
        }
    }
    if events.is_empty() { other } else { Found::Events(events) }
}

/// An event in a body: the whole body, or an element of a list.
struct Item<'a> {
    request: &'a SenderRequest<'a>,
    value: &'a Value,
    /// Its place in the list.
    index: Option<usize>,
    /// The body with its numbers as they are written, once a number is needed that way.
    as_written: &'a OnceCell<Option<Value>>,
}

impl<'a> Item<'a> {
    /// The value of a member: as the mapping says, or of this name.
    fn member(&self, name: &str) -> Option<&'a Value> {
        self.member_of(self.value, name)
    }

    fn member_of(&self, value: &'a Value, name: &str) -> Option<&'a Value> {
        match self.request.mapping {
            Some(mapping) => self.request.mapped(mapping, name, value),
            None => value.get(name),
        }
    }

    /// The value of a member as a text, without blanks around it. An empty one is absent, and a number is as it
    /// is written: `1.10` is not `1.1`.
    fn text(&self, name: &str) -> Option<String> {
        let value = match self.member(name)? {
            Value::Number(number) if number.is_f64() => {
                let read = || json::with_numbers_as_written(self.request.headers, self.request.body);
                let body = self.as_written.get_or_init(read).as_ref()?;
                self.member_of(self.index.map_or(Some(body), |index| body.get(index))?, name)?
            }
            value => value,
        };
        match value {
            Value::String(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned),
            Value::Number(number) if !number.is_f64() => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// The commit in a member: seven or more hexadecimal digits.
    fn commit(&self, name: &str) -> Option<String> {
        self.text(name).filter(|text| text.len() >= 7 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }
}

fn event(item: &Item<'_>) -> Result<NormalisedEvent, Found> {
    let request = item.request;
    let kind = match item.text("kind") {
        Some(name) => EventKind::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, kind)| kind),
        None => usual_kind(request.webhook_type),
    };
    let kind = match kind {
        Some(EventKind::Ping) => return Err(Found::Ping),
        Some(kind) => kind,
        None => return Err(Found::Ignored("The event's kind is not known".to_owned())),
    };
    let Some(repository) = item.text("repository") else {
        return Err(Found::Ignored("The event names no repository".to_owned()));
    };
    let mut event = named(item, kind, &repository);
    // In a mapped body the time may be that of the content.
    event.time_is_push = request.mapping.is_none();
    event.pushed_at = item.member("pushedAt").and_then(time::parse);
    event.pusher = item.text("pusher");
    event.branch = item.text("branch");
    event.reference = item.text("ref");
    event.before = item.commit("before");
    event.commit = item.commit("commit");
    event.prerelease = item.member("prerelease").and_then(Value::as_bool);
    event.url = item.text("url").filter(|url| json::is_web(url));
    note_deletion(item, &mut event)?;
    if kind == EventKind::CiFinished {
        event.pull_request = pull_request(item, &event);
    }
    event.result_text = item.text("resultText").or_else(|| item.text("result"));
    event.pipeline = item.text("pipeline");
    event.run = item.text("run");
    event.run_id = item.text("runId");
    Ok(event)
}

/// An event with registry, repository, tag and digest. An image may be written as one reference,
/// `ghcr.io/myorg/myapp:v1@sha256:…`, whose tag and digest count where no others are given.
fn named(item: &Item<'_>, kind: EventKind, repository: &str) -> NormalisedEvent {
    let is_artifact = matches!(kind, EventKind::ArtifactPushed | EventKind::ArtifactDeleted);
    let whole = Image { name: repository, tag: None, digest: None };
    let image = if is_artifact { reference::split(repository) } else { whole };
    let registry = item.text("registry");
    let registry = registry.as_deref().map(|host| reference::without_scheme(host).trim_end_matches('/'));
    let (host, name) = match registry {
        None if is_artifact => reference::split_host(image.name),
        registry => (registry.filter(|host| !host.is_empty()), image.name),
    };
    let mut event = item.request.event(kind, name);
    event.registry = host.map(str::to_owned);
    event.tag = item.text("tag").or_else(|| image.tag.map(str::to_owned));
    digest::note(&mut event, item.text("digest").as_deref().or(image.digest));
    event
}

/// Whether a tag was deleted: by `deleted`, or by a commit of zeros.
fn note_deletion(item: &Item<'_>, event: &mut NormalisedEvent) -> Result<(), Found> {
    let is_no_commit = |commit: &mut String| commit.bytes().all(|byte| byte == b'0');
    let lost_commit = event.commit.take_if(is_no_commit).is_some();
    match event.kind {
        EventKind::GitTag => {
            event.deleted = lost_commit || item.member("deleted") == Some(&Value::Bool(true));
            Ok(())
        }
        EventKind::GitPush if lost_commit => Err(Found::Ignored("The branch was deleted".to_owned())),
        EventKind::ArtifactPushed
        | EventKind::ArtifactDeleted
        | EventKind::GitPush
        | EventKind::Release
        | EventKind::PullRequest
        | EventKind::CiFinished
        | EventKind::Ping => Ok(()),
    }
}

/// The pull request that a pipeline ran for. `pullRequest` is its number, an address or reference with it, or
/// `{number?, sourceRepository?, fork?}`. Empty, `false` and 0 mean that the run was not for a pull request.
fn pull_request(item: &Item<'_>, event: &NormalisedEvent) -> Option<RunOfPullRequest> {
    let written = item.member("pullRequest")?;
    let is_one = match written {
        Value::Null => false,
        Value::Bool(is_one) => *is_one,
        Value::Number(number) => number.as_u64() != Some(0),
        Value::String(text) => !matches!(text.trim().to_lowercase().as_str(), "" | "false" | "0"),
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) => true,
    };
    let number = written.get("number").unwrap_or(written);
    let number = number.as_u64().or_else(|| number_in(number.as_str()?));
    let source = item.text("sourceRepository");
    let source = source.as_deref().or_else(|| json::text(written, "/sourceRepository"));
    let read = run_of(event, number, source);
    let fork = written.get("fork").and_then(Value::as_bool).or(read.fork);
    is_one.then_some(RunOfPullRequest { fork, ..read })
}

/// What a config's type is about, for bodies that do not say.
fn usual_kind(webhook_type: WebhookType) -> Option<EventKind> {
    match webhook_type {
        WebhookType::RegistryPush | WebhookType::Generic => Some(EventKind::ArtifactPushed),
        WebhookType::CiPipeline => Some(EventKind::CiFinished),
        WebhookType::GithubApp | WebhookType::GitlabWebhook => None,
    }
}

#[cfg(test)]
#[path = "generic_tests.rs"]
mod tests;
