//! Use cases of pushes, components and releases.

mod case;
pub mod components;
mod guards;
pub mod ingest;
pub mod overview;
pub mod preview;
pub mod process;
pub mod push;
pub mod release_rate;
pub mod replay;
