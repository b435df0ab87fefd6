//! `stella init`: a component, its trigger and a sender, step by step.

use serde_json::{Value, json};
use stella::domain::inbound::provider::{Provider, WebhookType};
use stella::domain::inbound::scheme::Scheme;
use stella::random;

use super::ask;
use crate::Context;
use crate::api::data;
use crate::failure::Failure;
use crate::options::Init;

/// Code hosts by the words that people say: their configs have a type of their own, and tell the rest by shape.
const CODE_HOSTS: [(&str, WebhookType); 2] =
    [("github", WebhookType::GithubApp), ("gitlab", WebhookType::GitlabWebhook)];

pub(super) fn run(wanted: &Init, context: &Context) -> Result<(), Failure> {
    let said = |given: &Option<String>, question, usual: &str| match given {
        Some(text) => Ok(text.clone()),
        None => ask(question, usual),
    };
    let component = said(&wanted.component, "What is released (a component's name)", "myapp")?;
    let repository =
        said(&wanted.repository, "Its repository, as in ghcr.io/myorg/myapp", &format!("myorg/{component}"))?;
    let sender = said(
        &wanted.sender,
        "Who tells of pushes (dockerhub, ghcr, harbor, github, gitlab, …)",
        "dockerhub",
    )?;
    let (kind, provider) = kind_of(&sender)?;

    // A sender that stores artifacts names them; one that builds names the source, which is at another host.
    let body = json!({"name": component, "repositories": [repository], "sourceRepositories": [hostless(&repository)]});
    let made = data(context.api.post("components", &body)?);
    let id = made.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let on = match kind {
        WebhookType::CiPipeline => "ci.finished",
        WebhookType::GithubApp | WebhookType::GitlabWebhook => "git.tag",
        WebhookType::RegistryPush | WebhookType::Generic => "artifact.pushed",
    };
    let trigger = json!({"name": format!("every {on}"), "on": on});
    let trigger = data(context.api.post(&format!("components/{id}/triggers"), &trigger)?);

    let needs_secret = Scheme::of(provider, kind, None, None, None).needs_secret();
    let secret = || wanted.secret.clone().unwrap_or_else(|| hex::encode(random::bytes::<32>()));
    let secret = needs_secret.then(secret);
    let body = json!({"name": sender, "type": kind.name(), "provider": provider.name(), "secret": secret});
    let config = data(context.api.post("webhook-configs", &body)?);
    let url = config.get("url").and_then(Value::as_str).unwrap_or_default();
    let screen = &context.screen;
    screen.say("")?;
    screen.say(&format!(
        "{component} is released whenever {sender} tells of it ({on}). Paste this into {sender}:"
    ))?;
    screen.say("")?;
    screen.say(&format!("  URL     {url}"))?;
    if let Some(secret) = &secret {
        screen.say(&format!("  Secret  {secret}"))?;
    }
    screen.say("")?;
    screen.say(&format!(
        "Where to paste it: docs/senders. To try it here: stella send {sender} … --config {}",
        config.get("id").and_then(Value::as_str).unwrap_or_default()
    ))?;
    screen.tell(&json!({"component": made, "trigger": trigger, "config": config, "secret": secret}))
}

/// A repository's name without the host, which has a dot or a port.
fn hostless(repository: &str) -> &str {
    let bare = repository.rsplit_once("://").map_or(repository, |(_, bare)| bare);
    match bare.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) => path,
        _ => bare,
    }
}

/// The type and provider of a config for a sender.
fn kind_of(sender: &str) -> Result<(WebhookType, Provider), Failure> {
    if let Some((_, kind)) = CODE_HOSTS.iter().find(|(name, _)| *name == sender) {
        return Ok((*kind, Provider::Auto));
    }
    let provider = Provider::ALL.iter().find(|(name, _)| *name == sender).map(|(_, provider)| *provider);
    let provider = provider.ok_or_else(|| {
        let names: Vec<&str> = Provider::ALL.iter().map(|(name, _)| *name).collect();
        Failure::Usage(format!("there is no sender {sender}; there are github, gitlab, {}", names.join(", ")))
    })?;
    let kind = WebhookType::ALL.iter().map(|(_, kind)| *kind).find(|kind| provider.fits(*kind));
    kind.map(|kind| (kind, provider))
        .ok_or_else(|| Failure::Usage(format!("{sender} goes with no type of config")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_without_its_host() {
        for (name, expected) in [
            ("ghcr.io/myorg/myapp", "myorg/myapp"),
            ("https://github.com/myorg/myapp", "myorg/myapp"),
            ("localhost:5000/myapp", "myapp"),
            ("myorg/myapp", "myorg/myapp"),
            ("myapp", "myapp"),
        ] {
            assert_eq!(hostless(name), expected);
        }
    }
}
