//! Bodies and signatures that real senders made, kept beside the repository and not in it: read where they
//! are, skipped where they are not.

use std::path::PathBuf;

use chrono::DateTime;
use http::{HeaderMap, HeaderName};
use serde_json::Value;

use super::refusals::Genuine;
use super::sender::Found;
use crate::domain::inbound::auth::verified::Verified;
use crate::domain::inbound::normalise::{Parsed, normalise};
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::inbound::provider::Provider;
use crate::domain::inbound::scheme::Scheme;
use crate::domain::inbound::webhook_type::WebhookType;

fn file(name: &str) -> Option<Vec<u8>> {
    let folder: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "..", "..", "shared", "fixtures", "inbound"].iter().collect();
    std::fs::read(folder.join(name)).ok()
}

fn list(name: &str) -> Vec<Value> {
    file(name).map(|bytes| serde_json::from_slice(&bytes).expect("a list")).unwrap_or_default()
}

fn headers(said: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in said.as_object().expect("headers") {
        headers.append(name.parse::<HeaderName>().unwrap(), value.as_str().unwrap().parse().unwrap());
    }
    headers
}

/// Whose bodies a folder has, and to which type of config they come.
fn sender(folder: &str) -> (WebhookType, Provider) {
    use WebhookType::{CiPipeline, Generic, GithubApp, GitlabWebhook, RegistryPush};
    match folder {
        "github" => (GithubApp, Provider::Auto),
        "gitlab" => (GitlabWebhook, Provider::Auto),
        "dockerhub" => (RegistryPush, Provider::of("dockerhub").unwrap()),
        "harbor" => (RegistryPush, Provider::of("harbor").unwrap()),
        "ghcr" => (RegistryPush, Provider::of("ghcr").unwrap()),
        "quay" => (RegistryPush, Provider::of("quay").unwrap()),
        "acr" => (RegistryPush, Provider::of("acr").unwrap()),
        "ecr" => (RegistryPush, Provider::of("ecr").unwrap()),
        "gar" => (RegistryPush, Provider::of("gar").unwrap()),
        "artifactory" => (RegistryPush, Provider::of("artifactory").unwrap()),
        "nexus" => (RegistryPush, Provider::of("nexus").unwrap()),
        "distribution" => (RegistryPush, Provider::of("distribution").unwrap()),
        "gitea" => (CiPipeline, Provider::of("gitea").unwrap()),
        "bitbucket-cloud" | "bitbucket-server" => (CiPipeline, Provider::of("bitbucket").unwrap()),
        "circleci" => (CiPipeline, Provider::of("circleci").unwrap()),
        "buildkite" => (CiPipeline, Provider::of("buildkite").unwrap()),
        "azuredevops" => (CiPipeline, Provider::of("azure-devops").unwrap()),
        "tekton" => (CiPipeline, Provider::of("tekton").unwrap()),
        "cdevents" => (CiPipeline, Provider::of("cdevents").unwrap()),
        "jenkins" => (CiPipeline, Provider::of("jenkins").unwrap()),
        "generic" => (Generic, Provider::of("generic").unwrap()),
        other => panic!("nobody reads {other}"),
    }
}

/// A single commit's state is of no kind that the contract has, and a dispatched event has no meaning that
/// all its users share.
const NO_KIND: [&str; 2] = ["ci.status", "generic"];

/// What an event is expected to be, as far as the captures' own list says; it writes an artifact's
/// repository with its host, and a digest that is none with a remark behind it.
fn is_as_expected(path: &str, event: &NormalisedEvent, expected: &Value) {
    let text = |name: &str| expected[name].as_str();
    assert_eq!(text("registry"), event.registry.as_deref(), "{path}");
    let whole = event.registry.as_ref().map(|host| format!("{host}/{}", event.repository));
    assert_eq!(text("repository"), whole.as_deref(), "{path}");
    assert_eq!(text("tag"), event.tag.as_deref(), "{path}");
    let digest = text("digest").map(|digest| digest.split(' ').next().unwrap());
    assert_eq!(digest, event.digest.as_deref(), "{path}");
    assert_eq!(event.digest_valid, text("digest").is_some_and(super::digest::is_valid), "{path}");
    // What is deleted was pushed by somebody else, at another time.
    if event.kind != EventKind::ArtifactDeleted {
        assert_eq!(super::time::parse(&expected["pushedAt"]), event.pushed_at, "{path}");
        assert_eq!(text("pusher"), event.pusher.as_deref(), "{path}");
    }
}

/// What is told of code and pipelines is what the list says of them.
fn tells_as_expected(path: &str, event: &NormalisedEvent, expected: &Value) {
    for (name, told) in [
        ("gitRepository", Some(event.repository.as_str())),
        ("branch", event.branch.as_deref()),
        ("tag", event.tag.as_deref()),
        ("commit", event.commit.as_deref()),
        ("result", event.result.as_deref()),
        ("scope", event.scope.as_deref()),
    ] {
        if let Some(expected) = expected[name].as_str() {
            assert_eq!(told, Some(expected), "{path}: {name}");
        }
    }
    if let Some(merged) = expected["merged"].as_bool() {
        assert_eq!(event.result.as_deref() == Some("merged"), merged, "{path}");
    }
    if let Some(prerelease) = expected["prerelease"].as_bool() {
        assert_eq!(event.prerelease, Some(prerelease), "{path}");
    }
}

fn is_read_as_expected(path: &str, parsed: &Parsed, expected: &Value) {
    let class = expected["class"].as_str().unwrap();
    match &parsed.found {
        Found::Ping => assert_eq!(class, "ping", "{path}"),
        Found::Handshake { validation_code } => {
            assert_eq!(expected["respond"]["body"]["validationResponse"], validation_code.as_str(), "{path}");
        }
        Found::Ignored(reason) => {
            assert!(class == "ignored" || NO_KIND.contains(&class), "{path}: {reason}");
        }
        Found::Events(events) => {
            assert!(events.iter().all(|event| event.kind.name() == class), "{path}: {events:?}");
            let artifacts = expected["artifacts"].as_array().map_or(&[][..], Vec::as_slice);
            if !artifacts.is_empty() {
                assert_eq!(events.len(), artifacts.len(), "{path}");
            }
            for (event, expected) in events.iter().zip(artifacts) {
                is_as_expected(path, event, expected);
            }
            if artifacts.is_empty() {
                tells_as_expected(path, &events[0], expected);
            }
        }
    }
}

#[test]
fn captured_bodies_are_read_as_expected_by_name_and_by_shape() {
    for entry in list("manifest.json") {
        let path = entry["path"].as_str().unwrap();
        let (webhook_type, provider) = sender(path.split('/').next().unwrap());
        let body = file(path).expect("a body");
        let none = HeaderMap::new();
        let verified = Verified::was_verified_before(&none, &body);
        let read =
            |provider| normalise(&verified, webhook_type, provider, None, DateTime::default()).expect(path);
        is_read_as_expected(path, &read(provider), &entry["expected"]);
        // These have no shape of their own: an unwrapped message, and pushes that GitHub's look like.
        if !path.starts_with("gar/") && !path.starts_with("gitea/") && !path.starts_with("buildkite/") {
            is_read_as_expected(path, &read(Provider::Auto), &entry["expected"]);
        }
    }
}

/// The scheme of a captured signature's sender.
fn scheme(name: &str) -> Scheme {
    use crate::domain::inbound::authentication::Algorithm::HmacSha1;
    use crate::domain::inbound::authentication::Authentication;
    let preset = |provider| Scheme::of(provider, WebhookType::Generic, None, None, None);
    match name {
        "github-sha256" => preset(Provider::of("ghcr").unwrap()),
        "github-sha1" => Scheme::of(
            Provider::of("generic").unwrap(),
            WebhookType::Generic,
            None,
            Some("X-Hub-Signature"),
            Some(HmacSha1),
        ),
        "circleci-v1" => preset(Provider::of("circleci").unwrap()),
        "standard-webhooks" | "standard-webhooks-multi" => Authentication::StandardWebhooks.into(),
        "buildkite-signature" => preset(Provider::of("buildkite").unwrap()),
        "nexus-sha1" => preset(Provider::of("nexus").unwrap()),
        "jfrog-sha256" => preset(Provider::of("artifactory").unwrap()),
        "gitea" | "gitea-no-secret" => preset(Provider::of("gitea").unwrap()),
        "bitbucket" => preset(Provider::of("bitbucket").unwrap()),
        "drone-http-signature" => Authentication::HttpSignature { tolerance_seconds: None }.into(),
        other => panic!("nobody signs like {other}"),
    }
}

/// When the captured signature was made, for those that say.
fn made_at(headers: &HeaderMap) -> Option<i64> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap());
    let buildkite = text("x-buildkite-signature")
        .and_then(|value| value.split_once(',')?.0.strip_prefix("timestamp=")?.parse().ok());
    let date = || Some(DateTime::parse_from_rfc2822(text("date")?).unwrap().timestamp());
    text("webhook-timestamp").and_then(|value| value.parse().ok()).or(buildkite).or_else(date)
}

#[test]
fn captured_signatures_verify_and_whatever_differs_does_not() {
    for vector in list("SIGNATURES.json") {
        let name = vector["scheme"].as_str().unwrap();
        let headers = headers(&vector["headers"]);
        let made_at = made_at(&headers);
        let genuine = Genuine {
            scheme: scheme(name),
            secret: vector["secret"].as_str().unwrap().to_owned(),
            headers,
            body: vector["body"].as_str().unwrap().into(),
            at: made_at.unwrap_or_default(),
            covers_body: true,
            covers_time: made_at.is_some(),
        };
        if name == "gitea-no-secret" {
            assert!(!genuine.passes());
        } else {
            genuine.refuses_all_else(name);
        }
    }
}
