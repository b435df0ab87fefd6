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
use crate::output::{self, Output};
use crate::profile;

/// Runs the command.
pub(crate) fn run(options: Options, output: Output) -> Result<(), Failure> {
    let server = options.server;
    // Lazy: `verify` and `completions` work with a broken profile too.
    let context = || {
        let profile = profile::resolve(&server)?;
        Ok::<_, Failure>(Context { api: Api::new(&profile.url, profile.key.as_deref()), output })
    };
    match options.command {
        Command::Completions { shell } => completions(shell),
        Command::Verify(options) => verify::run(&options, output),
        Command::Login { name } => login::run(&server, &name, output),
        Command::Portal { ttl } => portal(ttl, &context()?),
        Command::Init(options) => init::run(&options, &context()?),
        Command::Listen(options) => listen::run(&options, &context()?),
        Command::Trigger(options) => trigger::run(&options, &context()?),
        Command::Send(options) => send::run(&options, &context()?),
        Command::Deliveries(command) => deliveries::run(&command, &context()?),
        Command::Recover(options) => recover::run(&options, &context()?),
        Command::Subscriptions(command) => resources::subscriptions(&command, &context()?),
        Command::Configs(command) => resources::configs(&command, &context()?),
        Command::Components(command) => resources::components(&command, &context()?),
        Command::Triggers(command) => resources::triggers(&command, &context()?),
        Command::Releases(command) => resources::releases(&command, &context()?),
        Command::DeadLetters(command) => resources::dead_letters(&command, &context()?),
        Command::Keys(command) => resources::keys(&command, &context()?),
        Command::Tenants(command) => resources::tenants(&command, &context()?),
        Command::Doctor(options) => doctor::run(&options, &context()?),
    }
}

/// Creates a sign-in link to the portal, valid for this many seconds.
fn portal(ttl_seconds: u64, context: &Context) -> Result<(), Failure> {
    let link = data(context.api.post("portal-links", &json!({"ttlSeconds": ttl_seconds}))?);
    context.output.print_text(link.get("url").and_then(Value::as_str).unwrap_or_default())?;
    context.output.print_json(&link)
}

/// Prints a shell's completion script.
fn completions(shell: Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Options::command(), "stella", &mut text);
    output::print_line(String::from_utf8_lossy(&text).trim_end())
}

/// Reads the value of an omitted option from the terminal; an empty line takes the default.
fn prompt(label: &str, default: &str, option: &str) -> Result<String, Failure> {
    use std::io::Write as _;
    let mut out = anstream::stderr();
    let hint = if default.is_empty() { String::new() } else { format!(" [{default}]") };
    write!(out, "{label}{hint}: ")?;
    out.flush()?;
    let mut line = String::new();
    if std::io::stdin().read_line(&mut line)? == 0 {
        writeln!(out)?;
        return Err(Failure::Usage(format!("`{option}` is required when not interactive")));
    }
    let value = line.trim();
    Ok(if value.is_empty() { default.to_owned() } else { value.to_owned() })
}
