//! `stella init`: a component, its trigger and a sender, step by step.

use serde_json::{Value, json};
use stella::chance;
use stella::domain::provider::{Provider, WebhookType};
use stella::domain::scheme::Scheme;

use super::ask;
use crate::Context;
use crate::api::data;
use crate::failure::Failure;
use crate::options::Init;

/// The senders by the words that people say, with what a config calls them.
const ALIASES: [(&str, &str, &str); 2] =
    [("github", "github-app", "auto"), ("gitlab", "gitlab-webhook", "auto")];

pub(super) fn run(wanted: &Init, context: &mut Context) -> Result<(), Failure> {
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
        "ci-pipeline" => "ci.finished",
        "github-app" | "gitlab-webhook" => "git.tag",
        _ => "artifact.pushed",
    };
    let trigger = json!({"name": format!("every {on}"), "on": on});
    let trigger = data(context.api.post(&format!("components/{id}/triggers"), &trigger)?);

    let secret = if needs_secret(kind, provider) {
        Some(wanted.secret.clone().unwrap_or_else(|| hex::encode(chance::bytes::<32>())))
    } else {
        None
    };
    let body = json!({"name": sender, "type": kind, "provider": provider, "secret": secret});
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
fn kind_of(sender: &str) -> Result<(&'static str, &'static str), Failure> {
    if let Some((_, kind, provider)) = ALIASES.iter().find(|(name, _, _)| *name == sender) {
        return Ok((kind, provider));
    }
    let found = Provider::ALL.iter().find(|(name, _)| *name == sender);
    let Some((name, provider)) = found else {
        let names: Vec<&str> = Provider::ALL.iter().map(|(name, _)| *name).collect();
        return Err(Failure::Usage(format!(
            "there is no sender {sender}; there are github, gitlab, {}",
            names.join(", ")
        )));
    };
    let kind = WebhookType::ALL.iter().find(|(_, kind)| provider.fits(*kind));
    kind.map(|(kind, _)| (*kind, *name))
        .ok_or_else(|| Failure::Usage(format!("{sender} goes with no type of config")))
}

fn needs_secret(kind: &str, provider: &str) -> bool {
    let kind = WebhookType::ALL.iter().find(|(name, _)| *name == kind).map(|(_, kind)| *kind);
    let provider = Provider::ALL.iter().find(|(name, _)| *name == provider).map(|(_, provider)| *provider);
    let scheme = kind.zip(provider).map(|(kind, provider)| Scheme::of(provider, kind, None, None, None));
    scheme.is_some_and(|scheme| scheme.needs_secret())
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
