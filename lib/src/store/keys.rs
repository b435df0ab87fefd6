//! Every key of the two tables, by a constructor named for the thing.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::ids::{
    ApiKeyId, ComponentId, ConfigId, EventId, ReceiptId, RecoveryId, ReleaseId, SubscriptionId, TenantId,
};

/// The address of one item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The partition.
    pub pk: String,
    /// The place within it.
    pub sk: String,
}

fn key(pk: impl Into<String>, sk: impl Into<String>) -> Key {
    Key { pk: pk.into(), sk: sk.into() }
}

/// A time as keys hold it: three decimals always, so that it sorts.
#[must_use]
pub fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The partition with one tenant's things.
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

/// The number that every change of a tenant's subscriptions raises.
#[must_use]
pub fn revision(id: TenantId) -> Key {
    key(tenant(id), "REV")
}

/// An API key by the hash of its text: what a request looks up.
#[must_use]
pub fn api_key(sha256: &str) -> Key {
    key(format!("KEY#{sha256}"), "KEY")
}

/// An API key in its tenant's list.
#[must_use]
pub fn api_key_entry(id: TenantId, api_key: ApiKeyId) -> Key {
    key(tenant(id), format!("APIKEY#{api_key}"))
}

/// A link to the portal, by the hash of its text.
#[must_use]
pub fn portal_link(sha256: &str) -> Key {
    key(format!("LINK#{sha256}"), "LINK")
}

/// A session of the portal, by the hash of its text.
#[must_use]
pub fn portal_session(sha256: &str) -> Key {
    key(format!("SESSION#{sha256}"), "SESSION")
}

/// What a request with an `Idempotency-Key` came to.
#[must_use]
pub fn idempotency(id: TenantId, hash: &str) -> Key {
    key(format!("TENANT#{id}#IDEMPOTENCY"), hash)
}

/// A webhook config in its tenant's list.
#[must_use]
pub fn config(id: TenantId, config: ConfigId) -> Key {
    key(tenant(id), format!("CONFIG#{config}"))
}

/// A webhook config by the id in its URL: the hot read of every push.
#[must_use]
pub fn integration(integration: uuid::Uuid) -> Key {
    key(format!("INTEGRATION#{integration}"), "CONFIG")
}

/// A component.
#[must_use]
pub fn component(id: TenantId, component: ComponentId) -> Key {
    key(tenant(id), format!("COMPONENT#{component}"))
}

/// The components that a repository belongs to.
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

/// Where a tag points now.
#[must_use]
pub fn tag(tenant: TenantId, component: ComponentId, tag: &str) -> Key {
    key(versions(tenant, component), format!("TAG#{tag}"))
}

/// An entry of the version map, sorted by when it last changed.
#[must_use]
pub fn version(tenant: TenantId, component: ComponentId, changed: DateTime<Utc>, tag: &str) -> Key {
    key(versions(tenant, component), format!("VERSION#{}#{tag}", time(changed)))
}

/// The mark that a trigger has made its release of something.
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

/// Which subscription a delivery id's handle means.
#[must_use]
pub fn handle(id: TenantId, handle: u32) -> Key {
    key(tenant(id), format!("HANDLE#{handle:08x}"))
}

/// The subscriptions that name an event pattern.
#[must_use]
pub fn event_pattern(id: TenantId, pattern: &str) -> String {
    format!("TENANT#{id}#EVENTTYPE#{pattern}")
}

/// One subscription of an event pattern.
#[must_use]
pub fn pattern_subscription(id: TenantId, pattern: &str, subscription: SubscriptionId) -> Key {
    key(event_pattern(id, pattern), format!("SUBSCRIPTION#{subscription}"))
}

/// How many partitions a day's events are spread over.
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

/// The mark that an event's fan-out is done, beside the event.
#[must_use]
pub fn fan_out(tenant: TenantId, id: EventId) -> Key {
    let event = event(tenant, id);
    key(event.pk, format!("{}#FANOUT", event.sk))
}

/// The partition with the days on which a tenant has events. Whoever may write events may write it.
#[must_use]
pub fn event_days(id: TenantId) -> String {
    format!("TENANT#{id}#EVENTS#DAYS")
}

/// A day on which a tenant has events, so that lists visit no other.
#[must_use]
pub fn event_day(id: TenantId, day: chrono::NaiveDate) -> Key {
    key(event_days(id), format!("DAY#{day}"))
}

/// Up to when every event was seen to be fanned out.
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

/// The partition with what is known of how a subscription's receiver does.
#[must_use]
pub fn pulse(tenant: TenantId, subscription: SubscriptionId) -> String {
    format!("TENANT#{tenant}#PULSE#{subscription}")
}

/// Where a subscription stands now.
#[must_use]
pub fn state(tenant: TenantId, subscription: SubscriptionId) -> Key {
    key(pulse(tenant, subscription), "STATE")
}

/// What an hour counted, in a partition with counts.
#[must_use]
pub fn hour(partition: &str, hour: DateTime<Utc>) -> Key {
    key(partition, format!("HOUR#{}", time(hour)))
}

/// The partition with what each hour counted of a tenant's deliveries and pushes.
#[must_use]
pub fn tally(tenant: TenantId) -> String {
    format!("TENANT#{tenant}#TALLY")
}

/// Whose turn is next at a subscription that wants no more than so many a second.
#[must_use]
pub fn pace(tenant: TenantId, subscription: SubscriptionId, per_second: u32) -> Key {
    key(format!("TENANT#{tenant}#PACE#{subscription}"), format!("PACE#{per_second}"))
}

/// The next slot of a component's releases.
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

/// The partition with what each hour counted of rejected requests to a config.
#[must_use]
pub fn rejections(tenant: TenantId, config: ConfigId) -> String {
    format!("TENANT#{tenant}#REJECTIONS#{config}")
}

/// What is known of a config beside what its hours counted.
#[must_use]
pub fn config_state(tenant: TenantId, config: ConfigId) -> Key {
    key(rejections(tenant, config), "STATE")
}

/// The record that something was received before.
#[must_use]
pub fn duplicate(tenant: TenantId, config: ConfigId, identity: &str) -> Key {
    key(format!("TENANT#{tenant}#SEEN#{config}#{identity}"), "SEEN")
}

/// How many partitions the index of due deliveries is spread over.
pub const DUE_SHARDS: u8 = 4;

/// Where in the index of due deliveries those of a subscription are that wait to be fetched.
#[must_use]
pub fn pull(tenant: TenantId, subscription: SubscriptionId) -> String {
    format!("PULL#{tenant}#{subscription}")
}

/// One of the partitions of the index of due deliveries.
#[must_use]
pub fn due(shard: u8) -> String {
    format!("DUE#{shard}")
}
