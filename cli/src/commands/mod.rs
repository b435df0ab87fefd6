//! The commands.

mod deliveries;
mod doctor;
mod init;
mod listen;
mod login;
mod recover;
mod resources;
mod send;
mod trigger;
mod verify;

use clap::CommandFactory as _;
use clap_complete::Shell;
use serde_json::{Value, json};

use crate::Context;
use crate::api::{Api, data};
use crate::failure::Failure;
use crate::options::{Command, Options};
use crate::profile;
use crate::screen::{self, Screen};

/// Does what is asked for.
pub(crate) fn run(options: Options, screen: Screen) -> Result<(), Failure> {
    let server = options.server;
    // What needs no server needs no profile.
    let context = || {
        let profile = profile::chosen(&server)?;
        Ok::<_, Failure>(Context { api: Api::new(&profile.url, profile.key.as_deref()), screen })
    };
    match options.command {
        Command::Completions { shell } => completions(shell),
        Command::Verify(wanted) => verify::run(&wanted, screen),
        Command::Login { name } => login::run(&server, &name, screen),
        Command::Portal { ttl } => portal(ttl, &context()?),
        Command::Init(wanted) => init::run(&wanted, &context()?),
        Command::Listen(wanted) => listen::run(&wanted, &context()?),
        Command::Trigger(wanted) => trigger::run(&wanted, &context()?),
        Command::Send(wanted) => send::run(&wanted, &context()?),
        Command::Deliveries(wanted) => deliveries::run(&wanted, &context()?),
        Command::Recover(wanted) => recover::run(&wanted, &context()?),
        Command::Subscriptions(wanted) => resources::subscriptions(&wanted, &context()?),
        Command::Configs(wanted) => resources::configs(&wanted, &context()?),
        Command::Components(wanted) => resources::components(&wanted, &context()?),
        Command::Releases(wanted) => resources::releases(&wanted, &context()?),
        Command::DeadLetters(wanted) => resources::dead_letters(&wanted, &context()?),
        Command::Keys(wanted) => resources::keys(&wanted, &context()?),
        Command::Tenants(wanted) => resources::tenants(&wanted, &context()?),
        Command::Doctor(wanted) => doctor::run(&wanted, &context()?),
    }
}

/// A link to the portal.
fn portal(seconds: u64, context: &Context) -> Result<(), Failure> {
    let link = data(context.api.post("portal-links", &json!({"ttlSeconds": seconds}))?);
    context.screen.say(link.get("url").and_then(Value::as_str).unwrap_or_default())?;
    context.screen.tell(&link)
}

/// Completions for a shell.
fn completions(shell: Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Options::command(), "stella", &mut text);
    screen::write(String::from_utf8_lossy(&text).trim_end())
}

/// What is asked of whoever sits at the terminal; `usual` where nothing is said.
fn ask(question: &str, usual: &str) -> Result<String, Failure> {
    use std::io::Write as _;
    let mut out = anstream::stderr();
    let hint = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
    write!(out, "{question}{hint}: ")?;
    out.flush()?;
    let mut line = String::new();
    if std::io::stdin().read_line(&mut line)? == 0 {
        return Err(Failure::Usage(format!("nobody answered: {question}")));
    }
    let said = line.trim();
    Ok(if said.is_empty() { usual.to_owned() } else { said.to_owned() })
}
