//! Use cases: load, decide by the domain's rules, save, tell.

pub mod attempt;
pub mod deliver;
pub mod fan_out;
pub mod publish;
pub mod subscribe;
pub mod tenants;
