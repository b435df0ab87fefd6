//! `stella`: Stella Webhooks from a terminal. A client of the HTTP API and nothing more.

mod api;
mod commands;
mod examples;
mod failure;
mod options;
mod profile;
mod screen;
mod sign;

use std::process::ExitCode;

use clap::Parser as _;

use crate::api::Api;
use crate::failure::Failure;
use crate::options::Options;
use crate::screen::Screen;

/// What a command needs: whom to call, and where to show what came of it.
pub(crate) struct Context {
    pub(crate) api: Api,
    pub(crate) screen: Screen,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let screen = Screen::new(options.json);
    match commands::run(options, screen) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever closed the pipe has seen enough.
        Err(Failure::Screen(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            screen.fail(&failure);
            failure.exit_code()
        }
    }
}
