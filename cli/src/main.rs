//! `stella`: the command-line client of Stella Webhooks. It uses the HTTP API and nothing else.

mod api;
mod body;
mod commands;
mod failure;
mod options;
mod output;
mod profile;
mod sign;

use std::process::ExitCode;

use clap::Parser as _;

use crate::api::Api;
use crate::failure::Failure;
use crate::options::Options;
use crate::output::Output;

/// What every command that calls the API needs.
pub(crate) struct Context {
    pub(crate) api: Api,
    pub(crate) output: Output,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let output = Output::new(options.json);
    match commands::run(options, output) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the pipe has closed it, as `head` does: not a failure.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            output.print_error(&failure);
            failure.exit_code()
        }
    }
}
