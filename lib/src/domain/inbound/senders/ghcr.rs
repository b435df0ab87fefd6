//! GitHub's container registry, also that of a GitHub Enterprise Server, which has a host of its own. For the
//! same push, the webhook of a repository or an organisation has `package`, and that of an app
//! `registry_package`.

use serde_json::Value;

use super::preset::Preset;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use super::{digest, forge, reference, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;
use crate::domain::inbound::webhook_type::WebhookType;

/// The registry of packages on `github.com`.
const HOST: &str = "ghcr.io";

/// How GitHub signs.
pub(super) const SIGNATURE: Preset = Preset::hmac_sha256("X-Hub-Signature-256", Some("sha256="));

/// GitHub's container registry.
pub(super) static GHCR: Sender = Sender {
    name: "ghcr",
    provider: "ghcr",
    title: "GitHub Container Registry",
    types: &[WebhookType::RegistryPush, WebhookType::GithubApp],
    authentication: SIGNATURE,
    alternatives: &[],
    recognises: Some(|body| has(body, "/package/package_version") || has(body, "/registry_package")),
    read,
    results: USUAL,
    time_is_push: true,
    replay_protection: ReplayProtection::Time,
    page: page!("ghcr"),
    examples: &[example!("ghcr", "registry-package", "X-GitHub-Event" = "registry_package")],
};

pub(super) fn read(request: &SenderRequest<'_>) -> Reading {
    let delivery_id = request.header("x-github-delivery").map(str::to_owned);
    Reading { delivery_id, found: found(request) }
}

fn found(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let other = |reason: &str| Found::Ignored(reason.to_owned());
    if payload.get("zen").is_some() && payload.get("hook_id").is_some() {
        return Found::Ping;
    }
    let Some(package) = ["package", "registry_package"].iter().find_map(|member| payload.get(member)) else {
        return other("The body has no package");
    };
    if !is_container(package) {
        return other("The package is not a container image");
    }
    // In 2020, `published` was called `create`.
    if !matches!(json::text(payload, "/action"), Some("published" | "updated" | "create")) {
        return other("The package was neither published nor updated");
    }
    let version = package.get("package_version").unwrap_or(&Value::Null);
    let Some((host, name)) = image(payload, package, version) else {
        return other("The body does not name the image");
    };
    let metadata = version.pointer("/container_metadata/tag");
    let written =
        ["/container_metadata/tag/digest", "/version", "/name", "/container_metadata/manifest/digest"]
            .iter()
            .find_map(|at| json::text(version, at).filter(|text| digest::has_form(text)));
    // In 2019 the version was the tag.
    let tag = match metadata {
        Some(tag) => json::text(tag, "/name"),
        None => json::text(version, "/version").filter(|version| !digest::has_form(version)),
    };
    let mut event = request.event(EventKind::ArtifactPushed, &name);
    event.registry = host;
    event.tag = tag.map(str::to_owned);
    digest::note(&mut event, written);
    // The version's own times are the year 1.
    event.pushed_at = package.get("updated_at").and_then(time::parse);
    event.time_is_push = true;
    event.pusher = json::text(payload, "/sender/login").map(str::to_owned);
    event.url = json::url(version, "/html_url").or_else(|| json::url(package, "/html_url"));
    if event.tag.is_none() {
        return other("The image has no tag; it is a part of a multi-platform image");
    }
    Found::Events(vec![event])
}

fn is_container(package: &Value) -> bool {
    let kind = json::text(package, "/package_type").or_else(|| json::text(package, "/ecosystem"));
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("container") || kind.eq_ignore_ascii_case("docker"))
}

/// Host and name of the image, from the address by which it is pulled, which ends in a colon if there is no
/// tag. Without that address, the host is known only if the package is on `github.com`.
fn image(payload: &Value, package: &Value, version: &Value) -> Option<(Option<String>, String)> {
    let pulled = json::text(version, "/package_url").map(|url| reference::bare(url.trim_end_matches(':')));
    if let Some((Some(host), name)) = pulled.map(reference::split_host)
        && !name.is_empty()
    {
        return Some((Some(host.to_lowercase()), name.to_lowercase()));
    }
    let name = json::text(package, "/name")?;
    let owner = json::text(package, "/namespace").or_else(|| json::text(package, "/owner/login"))?;
    let repository = payload.get("repository").unwrap_or(&Value::Null);
    let page = [package, version, repository].into_iter().find_map(|value| json::text(value, "/html_url"));
    let is_public = forge::host(page).is_some_and(|host| host == "github.com")
        || forge::host(json::text(package, "/registry/url")).is_some_and(|host| host == HOST);
    Some((is_public.then(|| HOST.to_owned()), format!("{owner}/{name}").to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &GHCR,
            &[
                "enterprise: artifact.pushed containers.github.corp.example/myorg/myapp:v1.2.0@sha256:abab by octocat at 2024-01-01T00:00:00Z",
                "enterprise-without-address: artifact.pushed myorg/myapp:v1.2.0@sha256:abab by octocat at 2024-01-01T00:00:00Z",
                "npm: ignored: The package is not a container image",
                "package: artifact.pushed ghcr.io/myorg/myapp:v1.2.0@sha256:abab by octocat at 2024-01-01T00:00:00Z",
                "registry-package: artifact.pushed ghcr.io/myorg/myapp:v1.2.0@sha256:abab by octocat at 2024-01-01T00:00:00Z",
                "untagged: ignored: The image has no tag; it is a part of a multi-platform image",
                "without-address: artifact.pushed ghcr.io/myorg/myapp:v1.2.0@sha256:abab by octocat at 2024-01-01T00:00:00Z",
            ],
        );
    }
}
