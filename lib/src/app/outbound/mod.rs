//! Use cases of events, subscriptions and deliveries.

pub mod attempt;
pub mod bulk_update;
pub mod deliver;
pub mod delivery_store;
pub mod disable;
pub mod due;
pub mod events;
pub mod fan_out;
pub mod lanes;
pub mod lineages;
pub mod notify_failure;
pub mod publish;
pub mod pull;
pub mod rate_slots;
pub mod receiver_health;
pub mod recover;
pub mod redeliver;
pub mod service_events;
pub mod subscribe;
pub mod sweep;
pub mod test_delivery;
