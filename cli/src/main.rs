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
use crate::options::{Command, Options};
use crate::screen::Screen;

/// What a command needs: whom to call, and where to show what came of it.
pub(crate) struct Context {
    pub(crate) api: Api,
    pub(crate) screen: Screen,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let mut screen = Screen::new(options.json);
    match run(options, &mut screen) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever closed the pipe has seen enough.
        Err(Failure::Screen(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            screen.fail(&failure);
            failure.exit_code()
        }
    }
}

fn run(options: Options, screen: &mut Screen) -> Result<(), Failure> {
    // What needs no server needs no profile.
    match &options.command {
        Command::Completions { shell } => return commands::completions(*shell),
        Command::Verify(wanted) => return commands::verify::run(wanted, screen),
        Command::Login { name } => return commands::login::run(&options, name, screen),
        _ => {}
    }
    let profile = profile::chosen(&options)?;
    let mut context = Context { api: Api::new(&profile.url, profile.key.as_deref()), screen: screen.clone() };
    commands::run(options.command, &mut context)
}
