//! `stella login`: saves a server URL and an API key after a successful request with them.

use crate::api::{Api, data};
use crate::failure::Failure;
use crate::options::Server;
use crate::output::Output;
use crate::profile::{self, Profile};

use super::prompt;

pub(super) fn run(server: &Server, name: &str, output: Output) -> Result<(), Failure> {
    let defaults = profile::resolve(&Server { profile: None, ..server.clone() })?;
    let url = match &server.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => prompt("Server URL", &defaults.url, "--url")?,
    };
    let key = match &server.key {
        Some(key) => key.clone(),
        None => prompt("API key", "", "--key")?,
    };
    let api = Api::new(&url, Some(&key));
    let meta = data(api.get("meta")?);
    // A tenant's key of any role may list releases; the operator's key has no tenant and lists tenants.
    let path = if key.starts_with("stk_operator_") { "tenants?pageSize=1" } else { "releases?pageSize=1" };
    api.get(path)?;
    let path = profile::save(server, name, Profile { url: url.clone(), key: Some(key) })?;
    let version = meta.get("version").and_then(serde_json::Value::as_str).unwrap_or("?").to_owned();
    output.print_text(&format!(
        "logged in to {url} (version {version}); profile {name} saved to {}",
        path.display()
    ))?;
    output.print_json(&serde_json::json!({"url": url, "version": version, "profile": name}))
}
