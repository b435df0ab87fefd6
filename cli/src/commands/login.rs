//! `stella login`: writes a server's address and a key down, when they work.

use crate::api::{Api, data};
use crate::failure::Failure;
use crate::options::Server;
use crate::profile::{self, Profile};
use crate::screen::Screen;

use super::ask;

pub(super) fn run(server: &Server, name: &str, screen: Screen) -> Result<(), Failure> {
    let usual = profile::chosen(&Server { profile: None, ..server.clone() })?;
    let url = match &server.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => ask("The server's address", &usual.url)?,
    };
    let key = match &server.key {
        Some(key) => key.clone(),
        None => ask("The API key", "")?,
    };
    let api = Api::new(&url, Some(&key));
    let version = data(api.get("meta")?);
    // A key that may read something is one, and so is the operator's.
    let path = if key.starts_with("stk_operator_") { "tenants?pageSize=1" } else { "releases?pageSize=1" };
    api.get(path)?;
    let place = profile::save(server, name, Profile { url: url.clone(), key: Some(key) })?;
    let version = version.get("version").and_then(serde_json::Value::as_str).unwrap_or("?").to_owned();
    screen
        .say(&format!("{url} is version {version}, and the key is good. Written to {}", place.display()))?;
    screen.tell(&serde_json::json!({"url": url, "version": version, "profile": name}))
}
