//! All targets in one binary, because each binary would link the whole crate. `TARGET=<name>` chooses a
//! target, `TARGET=list` prints the names.
#![no_main]

use stella_fuzz::libfuzzer_sys::fuzz_target;

fuzz_target!(init: stella_fuzz::choose(), |input: &[u8]| stella_fuzz::run(input));
