//! What the use cases share: a TTL cache, a write-behind buffer, counts per hour.

pub mod filter_failures;
pub mod hourly_counts;
pub mod ttl_cache;
pub mod write_behind;
