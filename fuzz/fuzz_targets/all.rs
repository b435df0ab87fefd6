//! Every target in one binary, because each would link all of it: `TARGET=<name>` chooses, `TARGET=list` names them.
#![no_main]

use stella_fuzz::libfuzzer_sys::fuzz_target;

fuzz_target!(init: stella_fuzz::choose(), |input: &[u8]| stella_fuzz::run(input));
