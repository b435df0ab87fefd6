//! The keys of both tables, each by a constructor named for the item.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::ids::{
    ApiKeyId, ComponentId, ConfigId, EventId, ReceiptId, RecoveryId, ReleaseId, SubscriptionId, TenantId,
};

/// The primary key of an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
}

fn key(pk: impl Into<String>, sk: impl Into<String>) -> Key {
    Key { pk: pk.into(), sk: sk.into() }
}

/// A time as keys contain it: always with milliseconds, so that it sorts.
#[must_use]
pub fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The partition with a tenant's resources.
#[must_use]
pub fn tenant(tenant: TenantId) -> String {
    format!("TENANT#{tenant}")
}

/// The partition that lists all tenants.
pub const TENANTS: &str = "TENANTS";

/// A tenant, in the list of all.
#[must_use]
pub fn tenant_entry(id: TenantId) -> Key {
    key(TENANTS, format!("TENANT#{id}"))
}

/// A tenant's wrapped data key.
#[must_use]
pub fn keyring(id: TenantId) -> Key {
    key(tenant(id), "KEYRING")
}

/// The number that every change of a tenant's subscriptions increments.
#[must_use]
pub fn revision(id: TenantId) -> Key {
    key(tenant(id), "REV")
}

/// An API key, by the hash of its text: read for every request.
#[must_use]
pub fn api_key(sha256: &str) -> Key {
    key(format!("KEY#{sha256}"), "KEY")
}

/// An API key in its tenant's list.
#[must_use]
pub fn api_key_entry(id: TenantId, api_key: ApiKeyId) -> Key {
    key(tenant(id), format!("APIKEY#{api_key}"))
}

/// A portal link, by the hash of its text.
#[must_use]
pub fn portal_link(sha256: &str) -> Key {
    key(format!("LINK#{sha256}"), "LINK")
}

/// A portal session, by the hash of its text.
#[must_use]
pub fn portal_session(sha256: &str) -> Key {
    key(format!("SESSION#{sha256}"), "SESSION")
}

/// The record of a request with an `Idempotency-Key`.
#[must_use]
pub fn idempotency(id: TenantId, hash: &str) -> Key {
    key(format!("TENANT#{id}#IDEMPOTENCY"), hash)
}

/// A webhook config in its tenant's list.
#[must_use]
pub fn config(id: TenantId, config: ConfigId) -> Key {
    key(tenant(id), format!("CONFIG#{config}"))
}

/// A webhook config by its integration id: read for every push.
#[must_use]
pub fn integration(integration: uuid::Uuid) -> Key {
    key(format!("INTEGRATION#{integration}"), "CONFIG")
}

/// A component.
#[must_use]
pub fn component(id: TenantId, component: ComponentId) -> Key {
    key(tenant(id), format!("COMPONENT#{component}"))
}

/// The partition with the components of a repository.
#[must_use]
pub fn repository(id: TenantId, name: &str) -> String {
    format!("REPO#{id}#{name}")
}

/// One component of a repository.
#[must_use]
pub fn repository_component(id: TenantId, name: &str, component: ComponentId) -> Key {
    key(repository(id, name), format!("COMPONENT#{component}"))
}

/// The partition with a component's versions.
#[must_use]
pub fn versions(tenant: TenantId, component: ComponentId) -> String {
    format!("TENANT#{tenant}#COMPONENT#{component}")
}

/// The state of a tag.
#[must_use]
pub fn tag(tenant: TenantId, component: ComponentId, tag: &str) -> Key {
    key(versions(tenant, component), format!("TAG#{tag}"))
}

/// An entry of the version map, sorted by when it last changed.
#[must_use]
pub fn version(tenant: TenantId, component: ComponentId, changed: DateTime<Utc>, tag: &str) -> Key {
    key(versions(tenant, component), format!("VERSION#{}#{tag}", time(changed)))
}

/// The guard that a trigger created its release with this identity.
#[must_use]
pub fn release_guard(tenant: TenantId, component: ComponentId, identity: &str) -> Key {
    key(versions(tenant, component), format!("RELEASED#{identity}"))
}

/// A release.
#[must_use]
pub fn release(id: TenantId, release: ReleaseId) -> Key {
    key(tenant(id), format!("RELEASE#{release}"))
}

/// A subscription.
#[must_use]
pub fn subscription(id: TenantId, subscription: SubscriptionId) -> Key {
    key(tenant(id), format!("SUBSCRIPTION#{subscription}"))
}

/// The subscription of a handle in delivery ids.
#[must_use]
pub fn handle(id: TenantId, handle: u32) -> Key {
    key(tenant(id), format!("HANDLE#{handle:08x}"))
}

/// The partition with the subscriptions that name an event pattern.
#[must_use]
pub fn event_pattern(id: TenantId, pattern: &str) -> String {
    format!("TENANT#{id}#EVENTTYPE#{pattern}")
}

/// One subscription of an event pattern.
#[must_use]
pub fn pattern_subscription(id: TenantId, pattern: &str, subscription: SubscriptionId) -> Key {
    key(event_pattern(id, pattern), format!("SUBSCRIPTION#{subscription}"))
}

/// Over how many partitions a day's events are spread.
pub const EVENT_SHARDS: u8 = 16;

/// One of the partitions with a day's events.
#[must_use]
pub fn events(tenant: TenantId, day: chrono::NaiveDate, shard: u8) -> String {
    format!("TENANT#{tenant}#EVENTS#{day}#{shard:x}")
}

/// An event: the outbox, and the only copy of its data.
#[must_use]
pub fn event(tenant: TenantId, id: EventId) -> Key {
    let shard = id.uuid().as_bytes().last().map_or(0, |byte| byte & 0x0f);
    key(events(tenant, id.time().date_naive(), shard), id.to_string())
}

/// The fan-out mark of an event. It sorts right behind the event.
#[must_use]
pub fn fan_out(tenant: TenantId, id: EventId) -> Key {
    let event = event(tenant, id);
    key(event.pk, format!("{}#FANOUT", event.sk))
}

/// The partition with the days on which a tenant has events. Its key begins as those of events do, so that
/// the same policy covers both.
#[must_use]
pub fn event_days(id: TenantId) -> String {
    format!("TENANT#{id}#EVENTS#DAYS")
}

/// A day on which a tenant has events. Lists read no other days.
#[must_use]
pub fn event_day(id: TenantId, day: chrono::NaiveDate) -> Key {
    key(event_days(id), format!("DAY#{day}"))
}

/// Up to which time all events are known to be fanned out.
#[must_use]
pub fn fan_out_watermark() -> Key {
    key("SYSTEM", "FANOUT_WATERMARK")
}

/// One of the partitions with a subscription's deliveries.
#[must_use]
pub fn deliveries(tenant: TenantId, subscription: SubscriptionId, shard: u8) -> String {
    format!("TENANT#{tenant}#SUBSCRIPTION#{subscription}#{shard}")
}

/// A delivery.
#[must_use]
pub fn delivery(tenant: TenantId, subscription: SubscriptionId, id: DeliveryId) -> Key {
    key(deliveries(tenant, subscription, id.shard()), id.to_string())
}

/// The partition with a config's receipts.
#[must_use]
pub fn receipts(tenant: TenantId, config: ConfigId) -> String {
    format!("TENANT#{tenant}#RECEIPTS#{config}")
}

/// The partition with the health of a subscription's receiver.
#[must_use]
pub fn receiver_health(tenant: TenantId, subscription: SubscriptionId) -> String {
    format!("TENANT#{tenant}#PULSE#{subscription}")
}

/// The state of a subscription's receiver.
#[must_use]
pub fn state(tenant: TenantId, subscription: SubscriptionId) -> Key {
    key(receiver_health(tenant, subscription), "STATE")
}

/// The counts of an hour, in a partition with counts.
#[must_use]
pub fn hour(partition: &str, hour: DateTime<Utc>) -> Key {
    key(partition, format!("HOUR#{}", time(hour)))
}

/// The partition with the hourly counts of a tenant's deliveries and pushes.
#[must_use]
pub fn tenant_counts(tenant: TenantId) -> String {
    format!("TENANT#{tenant}#TALLY")
}

/// The counter of a subscription's rate-limit slots. Another rate has another counter.
#[must_use]
pub fn rate_slot(tenant: TenantId, subscription: SubscriptionId, per_second: u32) -> Key {
    key(format!("TENANT#{tenant}#PACE#{subscription}"), format!("PACE#{per_second}"))
}

/// The counter of a component's release slots.
#[must_use]
pub fn release_rate(tenant: TenantId, component: ComponentId) -> Key {
    key(format!("TENANT#{tenant}#RELEASE_RATE#{component}"), "SLOTS")
}

/// A recovery.
#[must_use]
pub fn recovery(tenant: TenantId, id: RecoveryId) -> Key {
    key(format!("TENANT#{tenant}#RECOVERIES"), id.to_string())
}

/// A receipt.
#[must_use]
pub fn receipt(tenant: TenantId, config: ConfigId, id: ReceiptId) -> Key {
    key(receipts(tenant, config), id.to_string())
}

/// The partition with the hourly counts of a config's rejected requests.
#[must_use]
pub fn rejections(tenant: TenantId, config: ConfigId) -> String {
    format!("TENANT#{tenant}#REJECTIONS#{config}")
}

/// The state of a config: what is known of it besides counts.
#[must_use]
pub fn config_state(tenant: TenantId, config: ConfigId) -> Key {
    key(rejections(tenant, config), "STATE")
}

/// A de-duplication key.
#[must_use]
pub fn duplicate(tenant: TenantId, config: ConfigId, identity: &str) -> Key {
    key(format!("TENANT#{tenant}#SEEN#{config}#{identity}"), "SEEN")
}

/// Over how many partitions the due index is spread.
pub const DUE_SHARDS: u8 = 4;

/// The partition of the due index with a subscription's deliveries that wait for a reader.
#[must_use]
pub fn pull(tenant: TenantId, subscription: SubscriptionId) -> String {
    format!("PULL#{tenant}#{subscription}")
}

/// A partition of the due index.
#[must_use]
pub fn due(shard: u8) -> String {
    format!("DUE#{shard}")
}
