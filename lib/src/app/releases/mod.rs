//! Use cases of pushes, components and releases.

pub mod components;
pub mod ingest;
pub mod overview;
pub mod preview;
pub mod process;
pub mod push;
pub mod release_rate;
pub mod replay;
