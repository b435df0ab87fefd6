//! What every context uses: identifiers, readers of JSON, expressions, retries, rates, signatures, addresses.

pub mod address;
pub mod answer_size;
pub mod bounded_map;
pub mod counts;
pub mod delivery_id;
pub mod expression;
pub mod filter;
pub mod filter_errors;
pub mod headers;
pub mod ids;
pub mod merge_patch;
pub mod object_reader;
pub mod object_schema;
pub mod origin;
pub mod own_address;
pub mod rate;
pub mod rate_slot;
pub mod release_rate;
pub mod retry;
pub mod schema;
pub mod secret;
pub mod signature;
pub mod target;
pub mod text;
pub mod time;
