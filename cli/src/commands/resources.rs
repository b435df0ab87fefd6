//! The commands that list, show, make and delete.

use serde_json::{Value, json};

use crate::Context;
use crate::api::data;
use crate::failure::Failure;
use crate::options::{Components, Configs, DeadLetters, Keys, Limit, Releases, Subscriptions, Tenants};
use crate::screen::Column;

impl Context {
    fn show_list(&self, path: &str, limit: &Limit, columns: &[Column]) -> Result<(), Failure> {
        self.screen.table(&self.api.list(path, &[], limit.limit)?, columns)
    }

    fn show_one(&self, path: &str) -> Result<(), Failure> {
        self.screen.one(&data(self.api.get(path)?))
    }

    /// Posts, and shows what came of it.
    fn make(&self, path: &str, body: &Value) -> Result<(), Failure> {
        self.screen.one(&data(self.api.post(path, body)?))
    }

    fn remove(&self, path: &str) -> Result<(), Failure> {
        self.api.delete(path)?;
        self.screen.say("deleted")?;
        self.screen.tell(&json!({"deleted": true}))
    }
}

pub(super) fn subscriptions(wanted: &Subscriptions, context: &Context) -> Result<(), Failure> {
    const COLUMNS: [Column; 7] = [
        ("ID", "id"),
        ("NAME", "name"),
        ("EVENTS", "events"),
        ("ENABLED", "enabled"),
        ("BREAKER", "health/breaker"),
        ("SUCCESS", "health/successRate"),
        ("URL", "url"),
    ];
    let path = |id: &str| format!("webhook-subscriptions/{id}");
    match wanted {
        Subscriptions::List(limit) => context.show_list("webhook-subscriptions", limit, &COLUMNS),
        Subscriptions::Show { id } => context.show_one(&path(id)),
        Subscriptions::Create { name, to, events, sign } => {
            let auth_type = if *sign { "signature" } else { "none" };
            let body = json!({"name": name, "url": to, "events": events, "authType": auth_type});
            context.make("webhook-subscriptions", &body)
        }
        Subscriptions::Test { id, event } => {
            let answer = context.api.post(&format!("{}/test", path(id)), &json!({"event": event}))?;
            let is_taken = answer.get("success").and_then(Value::as_bool) == Some(true);
            if let Some(error) = answer.get("error").and_then(Value::as_str) {
                context.screen.say(error)?;
            }
            context.screen.one(answer.get("data").unwrap_or(&Value::Null))?;
            if is_taken { Ok(()) } else { Err(Failure::NotWell) }
        }
        Subscriptions::Enable { id } => switch(&path(id), true, context),
        Subscriptions::Disable { id } => switch(&path(id), false, context),
        Subscriptions::RotateSecret { id } => {
            context.make(&format!("{}/rotate-secret", path(id)), &json!({}))
        }
        Subscriptions::Delete { id } => context.remove(&path(id)),
    }
}

fn switch(path: &str, enabled: bool, context: &Context) -> Result<(), Failure> {
    let after = data(context.api.patch(path, &json!({"enabled": enabled}))?);
    context.screen.say(if enabled { "enabled" } else { "disabled" })?;
    context.screen.tell(&after)
}

pub(super) fn configs(wanted: &Configs, context: &Context) -> Result<(), Failure> {
    const COLUMNS: [Column; 6] = [
        ("ID", "id"),
        ("NAME", "name"),
        ("TYPE", "type"),
        ("PROVIDER", "provider"),
        ("ENABLED", "enabled"),
        ("URL", "url"),
    ];
    const RECEIPTS: [Column; 5] =
        [("ID", "id"), ("AT", "receivedAt"), ("ACTION", "action"), ("FROM", "ip"), ("REASON", "reason")];
    let path = |id: &str| format!("webhook-configs/{id}");
    match wanted {
        Configs::List(limit) => context.show_list("webhook-configs", limit, &COLUMNS),
        Configs::Show { id } => context.show_one(&path(id)),
        Configs::Create { name, kind, provider, secret } => {
            let body = json!({"name": name, "type": kind, "provider": provider, "secret": secret});
            context.make("webhook-configs", &body)
        }
        Configs::Receipts { id, limit } => {
            context.show_list(&format!("{}/receipts", path(id)), limit, &RECEIPTS)
        }
        Configs::Receipt { id, receipt } => context.show_one(&format!("{}/receipts/{receipt}", path(id))),
        Configs::Replay { id, receipt } => {
            context.make(&format!("{}/receipts/{receipt}/replay", path(id)), &json!({}))
        }
        Configs::RotateToken { id } => context.make(&format!("{}/rotate-token", path(id)), &json!({})),
        Configs::Delete { id } => context.remove(&path(id)),
    }
}

pub(super) fn components(wanted: &Components, context: &Context) -> Result<(), Failure> {
    const COLUMNS: [Column; 4] =
        [("ID", "id"), ("NAME", "name"), ("REPOSITORIES", "repositories"), ("SOURCE", "sourceRepositories")];
    const VERSIONS: [Column; 5] = [
        ("TAG", "tag"),
        ("CHANNEL", "channel"),
        ("SINCE", "createdAt"),
        ("RETAGS", "retags"),
        ("DIGEST", "digest"),
    ];
    const TRIGGERS: [Column; 5] =
        [("ID", "id"), ("NAME", "name"), ("ON", "on"), ("RELEASE", "releaseName"), ("ENABLED", "enabled")];
    let path = |id: &str| format!("components/{id}");
    match wanted {
        Components::List(limit) => context.show_list("components", limit, &COLUMNS),
        Components::Show { id } => context.show_one(&path(id)),
        Components::Create { name, repositories } => {
            context.make("components", &json!({"name": name, "repositories": repositories}))
        }
        Components::Versions { id, channel, limit } => {
            let query = [("channel", channel.as_deref())];
            let rows = context.api.list(&format!("{}/versions", path(id)), &query, limit.limit)?;
            context.screen.table(&rows, &VERSIONS)
        }
        Components::Triggers { id } => {
            context.show_list(&format!("{}/triggers", path(id)), &Limit { limit: 100 }, &TRIGGERS)
        }
        Components::Delete { id } => context.remove(&path(id)),
    }
}

pub(super) fn releases(wanted: &Releases, context: &Context) -> Result<(), Failure> {
    const COLUMNS: [Column; 5] = [
        ("ID", "id"),
        ("NAME", "name"),
        ("TAG", "components/0/tag"),
        ("TRIGGER", "trigger/name"),
        ("AT", "createdAt"),
    ];
    match wanted {
        Releases::List(limit) => context.show_list("releases", limit, &COLUMNS),
        Releases::Show { id } => context.show_one(&format!("releases/{id}")),
    }
}

pub(super) fn dead_letters(wanted: &DeadLetters, context: &Context) -> Result<(), Failure> {
    match wanted {
        DeadLetters::List => {
            let found = data(context.api.get("dead-letters")?);
            if context.screen.is_json() {
                return context.screen.one(&found);
            }
            let rows = |name: &str| found.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
            context.screen.table(&rows("queues"), &[("QUEUE", "queue"), ("ABOUT", "approximateMessages")])?;
            let columns =
                [("QUEUE", "queue"), ("SENT", "sentAt"), ("RECEIVES", "receiveCount"), ("BODY", "body")];
            let sample = rows("sample");
            if sample.is_empty() { Ok(()) } else { context.screen.table(&sample, &columns) }
        }
        DeadLetters::Redrive { queue } => context.make("dead-letters/redrive", &json!({"queue": queue})),
    }
}

pub(super) fn keys(wanted: &Keys, context: &Context) -> Result<(), Failure> {
    const COLUMNS: [Column; 4] = [("ID", "id"), ("NAME", "name"), ("ROLE", "role"), ("AT", "createdAt")];
    match wanted {
        Keys::List(limit) => context.show_list("api-keys", limit, &COLUMNS),
        Keys::Create { name, role, tenant } => {
            let path = tenant.as_ref().map(|tenant| format!("tenants/{tenant}/api-keys"));
            let path = path.unwrap_or_else(|| "api-keys".to_owned());
            context.make(&path, &json!({"name": name, "role": role}))
        }
        Keys::Revoke { id } => {
            let revoked = data(context.api.delete(&format!("api-keys/{id}"))?);
            context.screen.say("revoked; it works no longer than 30 seconds")?;
            context.screen.tell(&revoked)
        }
    }
}

pub(super) fn tenants(wanted: &Tenants, context: &Context) -> Result<(), Failure> {
    const COLUMNS: [Column; 3] = [("ID", "id"), ("NAME", "name"), ("AT", "createdAt")];
    match wanted {
        Tenants::List(limit) => context.show_list("tenants", limit, &COLUMNS),
        Tenants::Create { name } => context.make("tenants", &json!({"name": name})),
    }
}
