//! `stella init`: creates a component, its trigger and a webhook config interactively.

use serde_json::{Value, json};
use stella::domain::inbound::provider::{Provider, WebhookType};
use stella::domain::inbound::scheme::Scheme;
use stella::random;

use super::prompt;
use crate::Context;
use crate::api::data;
use crate::failure::Failure;
use crate::options::Init;

/// Code hosts have config types of their own and no provider: the request's shape determines the event.
const CODE_HOSTS: [(&str, WebhookType); 2] =
    [("github", WebhookType::GithubApp), ("gitlab", WebhookType::GitlabWebhook)];

pub(super) fn run(options: &Init, context: &Context) -> Result<(), Failure> {
    let value = |given: &Option<String>, label, default: &str, option| match given {
        Some(text) => Ok(text.clone()),
        None => prompt(label, default, option),
    };
    let component = value(&options.component, "Component name", "myapp", "--component")?;
    let repository = value(
        &options.repository,
        "Repository, for example ghcr.io/myorg/myapp",
        &format!("myorg/{component}"),
        "--repository",
    )?;
    let sender = value(
        &options.sender,
        "Sender (dockerhub, ghcr, harbor, github, gitlab, …)",
        "dockerhub",
        "--sender",
    )?;
    let (kind, provider) = kind_of(&sender)?;

    // Registries name the artifact's repository, CI systems and code hosts the source's, on another host.
    let body = json!({"name": component, "repositories": [repository], "sourceRepositories": [without_host(&repository)]});
    let created = data(context.api.post("components", &body)?);
    let id = created.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let on = match kind {
        WebhookType::CiPipeline => "ci.finished",
        WebhookType::GithubApp | WebhookType::GitlabWebhook => "git.tag",
        WebhookType::RegistryPush | WebhookType::Generic => "artifact.pushed",
    };
    let trigger = json!({"name": format!("every {on}"), "on": on});
    let trigger = data(context.api.post(&format!("components/{id}/triggers"), &trigger)?);

    let needs_secret = Scheme::of(provider, kind, None, None, None).needs_secret();
    let secret = || options.secret.clone().unwrap_or_else(|| hex::encode(random::bytes::<32>()));
    let secret = needs_secret.then(secret);
    let body = json!({"name": sender, "type": kind.name(), "provider": provider.name(), "secret": secret});
    let config = data(context.api.post("webhook-configs", &body)?);
    let url = config.get("url").and_then(Value::as_str).unwrap_or_default();
    let output = &context.output;
    output.print_text("")?;
    output.print_text(&format!(
        "Each {on} event from {sender} now creates a release of {component}. Paste this into {sender}:"
    ))?;
    output.print_text("")?;
    output.print_text(&format!("  URL     {url}"))?;
    if let Some(secret) = &secret {
        output.print_text(&format!("  Secret  {secret}"))?;
    }
    output.print_text("")?;
    output.print_text(&format!(
        "Where to paste it: docs/senders. To try it out: stella send {sender} … --config {}",
        config.get("id").and_then(Value::as_str).unwrap_or_default()
    ))?;
    output.print_json(&json!({"component": created, "trigger": trigger, "config": config, "secret": secret}))
}

/// A repository's name without its host; a first segment with a dot or a port is a host.
fn without_host(repository: &str) -> &str {
    let bare = repository.rsplit_once("://").map_or(repository, |(_, bare)| bare);
    match bare.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) => path,
        _ => bare,
    }
}

/// The config type and provider of a sender.
fn kind_of(sender: &str) -> Result<(WebhookType, Provider), Failure> {
    if let Some((_, kind)) = CODE_HOSTS.iter().find(|(name, _)| *name == sender) {
        return Ok((*kind, Provider::Auto));
    }
    let provider = Provider::ALL.iter().find(|(name, _)| *name == sender).map(|(_, provider)| *provider);
    let provider = provider.ok_or_else(|| {
        let names: Vec<&str> = Provider::ALL.iter().map(|(name, _)| *name).collect();
        Failure::Usage(format!("unknown sender {sender}; senders: github, gitlab, {}", names.join(", ")))
    })?;
    let kind = WebhookType::ALL.iter().map(|(_, kind)| *kind).find(|kind| provider.fits(*kind));
    kind.map(|kind| (kind, provider))
        .ok_or_else(|| Failure::Usage(format!("no config type supports {sender}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_stripped_from_a_repository() {
        for (name, expected) in [
            ("ghcr.io/myorg/myapp", "myorg/myapp"),
            ("https://github.com/myorg/myapp", "myorg/myapp"),
            ("localhost:5000/myapp", "myapp"),
            ("myorg/myapp", "myorg/myapp"),
            ("myapp", "myapp"),
        ] {
            assert_eq!(without_host(name), expected);
        }
    }
}
