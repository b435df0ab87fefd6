//! Use cases: load, decide by the domain's rules, save, tell.

pub mod attempt;
pub mod components;
pub mod configs;
pub mod deliver;
pub mod events;
pub mod fan_out;
pub mod intake;
pub mod issuers;
pub mod known_configs;
pub mod operational;
pub mod preview;
pub mod publish;
pub mod receipts;
pub mod receive;
pub mod redeliver;
pub mod rejections;
pub mod rows;
pub mod subscribe;
pub mod sweep;
pub mod tenants;
pub mod try_out;
pub mod walk;
