//! From normalised events to releases: components, channels, triggers, the version map, and the decision.

pub mod channel;
pub mod component;
pub mod decision;
pub mod release;
pub mod release_name;
pub mod trigger;
pub mod version;
pub mod version_range;
