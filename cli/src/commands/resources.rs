//! The commands that list, show, create, change and delete resources.

use serde_json::{Value, json};

use crate::Context;
use crate::api::data;
use crate::body::Body;
use crate::failure::Failure;
use crate::options::{
    ComponentMembers, Components, ConfigMembers, Configs, DeadLetters, Keys, Limit, Releases,
    SubscriptionMembers, Subscriptions, Tenants, TriggerMembers, Triggers,
};
use crate::output::Column;

impl Context {
    fn show_list(&self, path: &str, limit: &Limit, columns: &[Column]) -> Result<(), Failure> {
        self.output.print_table(&self.api.list(path, &[], limit.limit)?, columns)
    }

    fn show_one(&self, path: &str) -> Result<(), Failure> {
        self.output.print_object(&data(self.api.get(path)?))
    }

    /// Posts, and shows the result.
    fn post_and_show(&self, path: &str, body: &Value) -> Result<(), Failure> {
        self.output.print_object(&data(self.api.post(path, body)?))
    }

    /// Changes members, and shows the result.
    fn patch_and_show(&self, path: &str, body: Body) -> Result<(), Failure> {
        self.output.print_object(&data(self.api.patch(path, &body.changes()?)?))
    }

    fn delete(&self, path: &str) -> Result<(), Failure> {
        self.api.delete(path)?;
        self.output.print_text("deleted")?;
        self.output.print_json(&json!({"deleted": true}))
    }
}

pub(super) fn subscriptions(command: &Subscriptions, context: &Context) -> Result<(), Failure> {
    const COLUMNS: [Column; 7] = [
        ("ID", "id"),
        ("NAME", "name"),
        ("EVENTS", "events"),
        ("ENABLED", "enabled"),
        ("BREAKER", "health/breaker"),
        ("SUCCESS RATE", "health/successRate"),
        ("URL", "url"),
    ];
    let path = |id: &str| format!("webhook-subscriptions/{id}");
    match command {
        Subscriptions::List(limit) => context.show_list("webhook-subscriptions", limit, &COLUMNS),
        Subscriptions::Show { id } => context.show_one(&path(id)),
        Subscriptions::Create(members) => {
            let body =
                members.read()?.requiring(&[("name", "--name"), ("url", "--to"), ("events", "--events")])?;
            context.post_and_show("webhook-subscriptions", &body)
        }
        Subscriptions::Update { id, members } => context.patch_and_show(&path(id), members.read()?),
        Subscriptions::Test { id, event } => {
            let response = context.api.post(&format!("{}/test", path(id)), &json!({"event": event}))?;
            let is_delivered = response.get("success").and_then(Value::as_bool) == Some(true);
            if let Some(error) = response.get("error").and_then(Value::as_str) {
                context.output.print_text(error)?;
            }
            context.output.print_object(response.get("data").unwrap_or(&Value::Null))?;
            if is_delivered { Ok(()) } else { Err(Failure::TestFailed) }
        }
        Subscriptions::Enable { id } => set_enabled(&path(id), true, context),
        Subscriptions::Disable { id } => set_enabled(&path(id), false, context),
        Subscriptions::RotateSecret { id } => {
            context.post_and_show(&format!("{}/rotate-secret", path(id)), &json!({}))
        }
        Subscriptions::Delete { id } => context.delete(&path(id)),
    }
}

impl SubscriptionMembers {
    fn read(&self) -> Result<Body, Failure> {
        let body = self.body.read()?.with("name", self.name.as_deref()).with("url", self.to.as_deref());
        Ok(body.with_all("events", &self.events).with("authType", self.sign.then_some("signature")))
    }
}

fn set_enabled(path: &str, enabled: bool, context: &Context) -> Result<(), Failure> {
    let subscription = data(context.api.patch(path, &json!({"enabled": enabled}))?);
    context.output.print_text(if enabled { "enabled" } else { "disabled" })?;
    context.output.print_json(&subscription)
}

pub(super) fn configs(command: &Configs, context: &Context) -> Result<(), Failure> {
    const COLUMNS: [Column; 6] = [
        ("ID", "id"),
        ("NAME", "name"),
        ("TYPE", "type"),
        ("PROVIDER", "provider"),
        ("ENABLED", "enabled"),
        ("URL", "url"),
    ];
    const RECEIPTS: [Column; 5] = [
        ("ID", "id"),
        ("RECEIVED", "receivedAt"),
        ("ACTION", "action"),
        ("SENDER IP", "ip"),
        ("REASON", "reason"),
    ];
    let path = |id: &str| format!("webhook-configs/{id}");
    match command {
        Configs::List(limit) => context.show_list("webhook-configs", limit, &COLUMNS),
        Configs::Show { id } => context.show_one(&path(id)),
        Configs::Create { members, secret } => {
            let body =
                members.read(secret.as_deref())?.requiring(&[("name", "--name"), ("type", "--type")])?;
            context.post_and_show("webhook-configs", &body)
        }
        Configs::Update { id, members, secret } => {
            context.patch_and_show(&path(id), members.read(secret.as_deref())?)
        }
        Configs::Receipts { id, limit } => {
            context.show_list(&format!("{}/receipts", path(id)), limit, &RECEIPTS)
        }
        Configs::Receipt { id, receipt } => context.show_one(&format!("{}/receipts/{receipt}", path(id))),
        Configs::Replay { id, receipt } => {
            context.post_and_show(&format!("{}/receipts/{receipt}/replay", path(id)), &json!({}))
        }
        Configs::RotateToken { id } => {
            context.post_and_show(&format!("{}/rotate-token", path(id)), &json!({}))
        }
        Configs::Delete { id } => context.delete(&path(id)),
    }
}

impl ConfigMembers {
    fn read(&self, secret: Option<&str>) -> Result<Body, Failure> {
        let body = self.body.read()?.with("name", self.name.as_deref()).with("type", self.kind.as_deref());
        Ok(body.with("provider", self.provider.as_deref()).with("secret", secret))
    }
}

pub(super) fn components(command: &Components, context: &Context) -> Result<(), Failure> {
    const COLUMNS: [Column; 4] =
        [("ID", "id"), ("NAME", "name"), ("REPOSITORIES", "repositories"), ("SOURCE", "sourceRepositories")];
    const VERSIONS: [Column; 5] = [
        ("TAG", "tag"),
        ("CHANNEL", "channel"),
        ("UPDATED", "createdAt"),
        ("RETAGS", "retags"),
        ("DIGEST", "digest"),
    ];
    let path = |id: &str| format!("components/{id}");
    match command {
        Components::List(limit) => context.show_list("components", limit, &COLUMNS),
        Components::Show { id } => context.show_one(&path(id)),
        Components::Create(members) => {
            context.post_and_show("components", &members.read()?.requiring(&[("name", "--name")])?)
        }
        Components::Update { id, members } => context.patch_and_show(&path(id), members.read()?),
        Components::Versions { id, channel, limit } => {
            let query = [("channel", channel.as_deref())];
            let rows = context.api.list(&format!("{}/versions", path(id)), &query, limit.limit)?;
            context.output.print_table(&rows, &VERSIONS)
        }
        Components::Triggers { id } => {
            context.show_list(&format!("{}/triggers", path(id)), &Limit { limit: 100 }, &TRIGGERS)
        }
        Components::Delete { id } => context.delete(&path(id)),
    }
}

impl ComponentMembers {
    fn read(&self) -> Result<Body, Failure> {
        let body = self.body.read()?.with("name", self.name.as_deref());
        Ok(body.with_all("repositories", &self.repositories))
    }
}

const TRIGGERS: [Column; 5] =
    [("ID", "id"), ("NAME", "name"), ("ON", "on"), ("RELEASE", "releaseName"), ("ENABLED", "enabled")];

pub(super) fn triggers(command: &Triggers, context: &Context) -> Result<(), Failure> {
    let list = |component: &str| format!("components/{component}/triggers");
    let path = |component: &str, id: &str| format!("components/{component}/triggers/{id}");
    match command {
        Triggers::List { component, limit } => context.show_list(&list(component), limit, &TRIGGERS),
        Triggers::Show { component, id } => context.show_one(&path(component, id)),
        Triggers::Create { component, members } => {
            let body = members.read()?.requiring(&[("name", "--name"), ("on", "--on")])?;
            context.post_and_show(&list(component), &body)
        }
        Triggers::Update { component, id, members } => {
            context.patch_and_show(&path(component, id), members.read()?)
        }
        Triggers::Delete { component, id } => context.delete(&path(component, id)),
    }
}

impl TriggerMembers {
    fn read(&self) -> Result<Body, Failure> {
        Ok(self.body.read()?.with("name", self.name.as_deref()).with("on", self.on.as_deref()))
    }
}

pub(super) fn releases(command: &Releases, context: &Context) -> Result<(), Failure> {
    const COLUMNS: [Column; 5] = [
        ("ID", "id"),
        ("NAME", "name"),
        ("TAG", "components/0/tag"),
        ("TRIGGER", "trigger/name"),
        ("CREATED", "createdAt"),
    ];
    match command {
        Releases::List(limit) => context.show_list("releases", limit, &COLUMNS),
        Releases::Show { id } => context.show_one(&format!("releases/{id}")),
    }
}

pub(super) fn dead_letters(command: &DeadLetters, context: &Context) -> Result<(), Failure> {
    match command {
        DeadLetters::List => {
            let dead_letters = data(context.api.get("dead-letters")?);
            if context.output.is_json() {
                return context.output.print_object(&dead_letters);
            }
            let rows =
                |name: &str| dead_letters.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
            context.output.print_table(
                &rows("queues"),
                &[("QUEUE", "queue"), ("MESSAGES (APPROX.)", "approximateMessages")],
            )?;
            let columns =
                [("QUEUE", "queue"), ("SENT", "sentAt"), ("RECEIVE COUNT", "receiveCount"), ("BODY", "body")];
            let sample = rows("sample");
            if sample.is_empty() { Ok(()) } else { context.output.print_table(&sample, &columns) }
        }
        DeadLetters::Redrive { queue } => {
            context.post_and_show("dead-letters/redrive", &json!({"queue": queue}))
        }
    }
}

pub(super) fn keys(command: &Keys, context: &Context) -> Result<(), Failure> {
    const COLUMNS: [Column; 4] = [("ID", "id"), ("NAME", "name"), ("ROLE", "role"), ("CREATED", "createdAt")];
    match command {
        Keys::List(limit) => context.show_list("api-keys", limit, &COLUMNS),
        Keys::Create { name, role, tenant } => {
            let path = tenant.as_ref().map(|tenant| format!("tenants/{tenant}/api-keys"));
            let path = path.unwrap_or_else(|| "api-keys".to_owned());
            context.post_and_show(&path, &json!({"name": name, "role": role}))
        }
        Keys::Revoke { id } => {
            let revoked = data(context.api.delete(&format!("api-keys/{id}"))?);
            context.output.print_text("revoked; it stops working within 30 seconds")?;
            context.output.print_json(&revoked)
        }
    }
}

pub(super) fn tenants(command: &Tenants, context: &Context) -> Result<(), Failure> {
    const COLUMNS: [Column; 3] = [("ID", "id"), ("NAME", "name"), ("CREATED", "createdAt")];
    match command {
        Tenants::List(limit) => context.show_list("tenants", limit, &COLUMNS),
        Tenants::Create { name } => context.post_and_show("tenants", &json!({"name": name})),
    }
}
