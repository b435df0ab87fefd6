//! The local stack: prints its URL and its keys, and runs until it gets SIGINT or SIGTERM.

mod options;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use serde_json::json;
use stella::domain::outbound::event_type::EventType;
use stella::error::Error;
use stella_local::default_tenant;
use stella_local::stack::Stack;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::options::Options;

/// Of libraries what is wrong, of ours what happens. Ours all begin with these two names.
const LOGGED: &str = "warn,dynoxide=error,stella=info,local=info";

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
            let told: Vec<String> =
                [error.to_string()].into_iter().chain(causes.map(ToString::to_string)).collect();
            // Where even stderr is closed, the exit code is left.
            let _ = writeln!(io::stderr(), "error: {}", told.join(": "));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<(), Error> {
    // Heard from the first moment on, so that nothing that is begun is broken off.
    let mut ending = Ending::new()?;
    let data = options.data();
    if options.fresh {
        data.clear()?;
    }
    let settings = options.settings();
    let dying = settings.dying.clone();
    tokio::spawn(async move {
        dying.died().await;
        // As the kernel would end it: nothing is finished, nothing is flushed.
        std::process::abort();
    });
    let stack = Stack::start(settings).await?;
    let ready = async {
        let operator_key =
            stack.operator_key().ok_or_else(|| Error::fault("The template declares no operator key"))?;
        let tenant_key = default_tenant::key(&stack.url(), operator_key, &data).await?;
        let link = default_tenant::portal_link(&stack.url(), &tenant_key).await?;
        Ok::<_, Error>(greeting(&stack.url(), operator_key, &tenant_key, &link))
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
}
