//! `stella init`: creates a component, its trigger and a webhook config interactively.

use serde_json::{Value, json};
use stella::domain::inbound::provider::Provider;
use stella::domain::inbound::scheme::Scheme;
use stella::domain::inbound::senders::SENDERS;
use stella::domain::inbound::senders::sender::Sender;
use stella::domain::inbound::webhook_type::WebhookType;
use stella::random;

use super::prompt;
use crate::Context;
use crate::api::data;
use crate::failure::Failure;
use crate::options::Init;

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
    output.print_text("Where to paste it: docs/senders.")?;
    if let Some(command) = try_out(&sender, &config, secret.as_deref()) {
        output.print_text(&format!("To try it out: {command}"))?;
    }
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

/// The command that posts the sender's first example to the config; `None` if it has no example.
fn try_out(sender: &str, config: &Value, secret: Option<&str>) -> Option<String> {
    let text = |name: &str| config.get(name).and_then(Value::as_str);
    let event = known(sender)?.examples.first()?.event;
    let id = text("id")?;
    let secret = secret.map(|secret| format!(" --secret {}", quoted(secret))).unwrap_or_default();
    // The URL ends in the integration's id, or in a token behind it.
    let last = text("url")?.rsplit('/').next()?;
    let is_token = text("integrationId") != Some(last);
    let token = if is_token { format!(" --token {last}") } else { String::new() };
    Some(format!("stella send {sender} {event} --config {id}{secret}{token}"))
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain =
        text.chars().all(|character| character.is_ascii_alphanumeric() || "-_.:".contains(character));
    if is_plain && !text.is_empty() { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// The sender of this name.
fn known(name: &str) -> Option<&'static Sender> {
    SENDERS.iter().copied().find(|sender| sender.name == name)
}

/// The config type and provider of a sender.
fn kind_of(name: &str) -> Result<(WebhookType, Provider), Failure> {
    let sender = known(name).ok_or_else(|| {
        let names: Vec<&str> = SENDERS.iter().map(|sender| sender.name).collect();
        Failure::Usage(format!("unknown sender {name}; senders: {}", names.join(", ")))
    })?;
    let kind = sender.config_types().next();
    kind.zip(Provider::of(sender.provider))
        .ok_or_else(|| Failure::Usage(format!("no config type supports {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suggested_command_has_all_options_that_it_needs() {
        let config = json!({"id": "c", "integrationId": "i", "url": "http://h/api/v1/webhooks/registry/i/t"});
        let command = try_out("dockerhub", &config, None);
        assert_eq!(command.as_deref(), Some("stella send dockerhub push --config c --token t"));
        let config = json!({"id": "c", "integrationId": "i", "url": "http://h/api/v1/webhooks/registry/i"});
        let command = try_out("ghcr", &config, Some("it's"));
        let expected = r"stella send ghcr registry-package --config c --secret 'it'\''s'";
        assert_eq!(command.as_deref(), Some(expected));
        assert_eq!(try_out("forgejo", &config, Some("s")), None);
    }

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
