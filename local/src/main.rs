//! The local stack: prints its URL and its keys, and runs until it gets SIGINT or SIGTERM.

mod options;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use sam_local::{ErrorKind, Stack};
use serde_json::json;
use stella::domain::outbound::event_type::EventType;
use stella::error::{Error, causes};
use stella_local::{default_tenant, operator_key};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::options::Options;

/// Warnings of libraries, and what our own crates log: their names all begin with one of the last three.
const LOGGED: &str = "warn,dynoxide=error,stella=info,sam_local=info,local=info";

/// An error that ends the process: the stack's or ours.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If stderr is closed, the exit code must do.
            let _ = writeln!(io::stderr(), "error: {}", causes(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<(), Failure> {
    // Installed first, so that a signal never interrupts a start halfway.
    let mut ending = Ending::new()?;
    let data = options.data();
    if options.fresh {
        data.clear(&[default_tenant::FILE]).map_err(with_flag)?;
    }
    let settings = options.settings();
    let crash_injector = settings.crash_injector.clone();
    tokio::spawn(async move {
        crash_injector.crashed().await;
        // Like kill -9: nothing is finished or flushed.
        std::process::abort();
    });
    let stack = Stack::start(settings).await.map_err(with_flag)?;
    let ready = async {
        let operator_key = operator_key(&stack).await?;
        let operator_key =
            operator_key.ok_or_else(|| Error::fault("The template declares no operator key"))?;
        let tenant_key = default_tenant::key(&stack.url(), &operator_key, &data).await?;
        let link = default_tenant::portal_link(&stack.url(), &tenant_key).await?;
        Ok::<_, Failure>(greeting(&stack.url(), &operator_key, &tenant_key, &link))
    };
    let ready = tokio::select! {
        greeting = ready => greeting.map(Some),
        () = ending.asked() => Ok(None),
    };
    let ready = match ready {
        Ok(Some(greeting)) => {
            // Standard output may be closed.
            let mut out = io::stdout().lock();
            let _ = out.write_all(greeting.as_bytes()).and_then(|()| out.flush());
            drop(out);
            ending.asked().await;
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    tracing::info!("stopping");
    stack.stop().await;
    ready
}

/// Adds the flag that helps to an error.
fn with_flag(mut error: sam_local::Error) -> sam_local::Error {
    let flag = match error.kind {
        ErrorKind::DataDirInUse => "--data-dir",
        ErrorKind::PortInUse => "--port",
        ErrorKind::InvalidTemplate
        | ErrorKind::UnsupportedPattern
        | ErrorKind::InvalidRequest
        | ErrorKind::NotFound
        | ErrorKind::Unavailable
        | ErrorKind::Fault => return error,
    };
    error.detail = format!("{} with {flag}", error.detail);
    error
}

/// The signals that stop the stack: SIGINT and SIGTERM.
struct Ending {
    interrupt: Signal,
    terminate: Signal,
}

impl Ending {
    fn new() -> Result<Self, Error> {
        let listen =
            |kind| signal(kind).map_err(|error| Error::fault("Cannot handle signals").caused_by(error));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The lines that are printed when the stack is ready. The first three are stable, for scripts.
fn greeting(url: &str, operator_key: &str, tenant_key: &str, portal: &str) -> String {
    let kind = EventType::DeploymentCompleted;
    let subscription = json!({
        "name": "example", "url": "http://127.0.0.1:9000/", "method": "POST", "authType": "signature",
        "events": [kind.name()],
    });
    let event = json!({"event": kind.name(), "data": kind.example()});
    let call = |path: &str, body: &serde_json::Value| {
        format!(
            "curl -sS '{url}/api/v1/{path}' -H 'Authorization: Bearer {tenant_key}' \
             -H 'Content-Type: application/json' -d '{body}'"
        )
    };
    [
        format!("listening on {url}"),
        format!("operator key: {operator_key}"),
        format!("tenant key: {tenant_key}"),
        format!("curl -sS '{url}/api/v1/health'"),
        call("webhook-subscriptions", &subscription),
        call("events", &event),
        format!("portal: {portal}"),
        String::new(),
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_are_for_scripts_the_rest_can_be_pasted_and_the_last_is_for_a_browser() {
        let portal = "http://127.0.0.1:8787/portal#link=stl_d";
        let greeting = greeting("http://127.0.0.1:8787", "stk_operator_a", "stk_b_c", portal);
        let lines: Vec<&str> = greeting.lines().collect();
        assert_eq!(
            lines[..3],
            ["listening on http://127.0.0.1:8787", "operator key: stk_operator_a", "tenant key: stk_b_c",]
        );
        let [curls @ .., last] = &lines[3..] else { panic!("nothing to paste") };
        assert!(!curls.is_empty() && curls.iter().all(|line| line.starts_with("curl ")));
        assert_eq!(*last, format!("portal: {portal}"));
        // Quoted for a shell: nothing inside ends the quotes.
        assert!(lines.iter().all(|line| line.matches('\'').count() % 2 == 0), "{greeting}");
    }

    #[tokio::test]
    async fn an_error_names_the_flag_that_helps() {
        let start = async |data: sam_local::Data, port| {
            let settings = sam_local::Settings::new("Resources: {}", sam_local::Functions::default());
            Stack::start(sam_local::Settings { data, port, ..settings }).await.map_err(with_flag)
        };
        let folder = tempfile::tempdir().unwrap();
        let data = sam_local::Data::Folder(folder.path().to_owned());
        let stack = start(data.clone(), 0).await.unwrap();
        let error = start(data, 0).await.err().unwrap().to_string();
        let expected = "Another process uses the data folder; stop it, or choose another with --data-dir (";
        assert!(error.starts_with(expected), "{error}");
        let port: u16 = stack.url().rsplit(':').next().unwrap().parse().unwrap();
        let error = start(sam_local::Data::Memory, port).await.err().unwrap().to_string();
        assert_eq!(error, format!("The port is in use; choose another with --port ({port})"));
    }
}
