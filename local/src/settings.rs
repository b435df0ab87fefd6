//! The settings of a stack that runs Stella Webhooks.

use std::time::Duration;

use sam_local::Settings;

use crate::functions::Functions;
use crate::rejection::reject;

/// The template that is deployed.
pub const TEMPLATE: &str = include_str!("../../template.yaml");
/// How long a request of a function to a table, queue or secret may take on one machine: as long as most
/// senders wait.
pub const AWS_TIMEOUT: Duration = Duration::from_secs(10);

/// The deployed template with its functions, in memory, on any port, by the machine's time.
#[must_use]
pub fn settings() -> Settings {
    Settings {
        api_url_variable: Some("PUBLIC_URL".to_owned()),
        reject,
        ..Settings::new(TEMPLATE, Functions::ours().into())
    }
}
