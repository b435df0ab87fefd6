//! Says which permissions of the template no end-to-end test has a use for; to be run after all of them.

use std::process::ExitCode;

use end_to_end::permissions::{record, unused};

fn main() -> ExitCode {
    let Ok(used) = std::fs::read_to_string(record()) else {
        eprintln!("no test has noted anything: run `make test`");
        return ExitCode::FAILURE;
    };
    let unused = unused(&used);
    for grant in &unused {
        eprintln!("the template allows what no test has a use for: {grant}");
    }
    if unused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
