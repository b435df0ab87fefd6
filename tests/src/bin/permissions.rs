//! Fails if the template has a permission that no end-to-end test used. Runs after all tests.

use std::process::ExitCode;

use end_to_end::permissions::{record, unused};

fn main() -> ExitCode {
    let Ok(used) = std::fs::read_to_string(record()) else {
        eprintln!("no test has recorded permissions: run `make test`");
        return ExitCode::FAILURE;
    };
    let unused = unused(&used);
    for grant in &unused {
        eprintln!("the template allows what no test uses: {grant}");
    }
    if unused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
