//! From a domain event to its deliveries: subscriptions, schedules, attempts, the circuit breaker.

pub mod admission;
pub mod breaker;
pub mod delivery;
pub mod delivery_view;
pub mod destination;
pub mod event;
pub mod event_type;
pub mod fan_out;
pub mod health;
pub mod lineage;
pub mod matching;
pub mod message;
pub mod outcome;
pub mod overview;
pub mod pull;
pub mod reason;
pub mod recovery;
pub mod request;
pub mod schedule;
pub mod selection;
pub mod subscription;
