//! Profiles: server URLs and API keys saved by `stella login`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::options::Server;

/// The default URL of the local stack.
const DEFAULT_URL: &str = "http://127.0.0.1:8787";

/// One server and one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct File {
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

/// The selected profile; the options `--url` and `--key` override its values.
pub(crate) fn resolve(server: &Server) -> Result<Profile, Failure> {
    let file = load(server)?;
    let name = server.profile.as_deref().unwrap_or("default");
    let saved = file.profiles.get(name).cloned();
    if saved.is_none() && server.profile.is_some() {
        let names: Vec<&str> = file.profiles.keys().map(String::as_str).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(Failure::Usage(format!("unknown profile {name}; known profiles: {known}")));
    }
    let saved = saved.unwrap_or_else(|| Profile { url: DEFAULT_URL.to_owned(), key: None });
    Ok(Profile {
        url: server.url.clone().unwrap_or(saved.url).trim_end_matches('/').to_owned(),
        key: server.key.clone().or(saved.key),
    })
}

/// Saves a profile in a file that only its owner may read; returns the file's path.
pub(crate) fn save(server: &Server, name: &str, profile: Profile) -> Result<PathBuf, Failure> {
    let mut file = load(server)?;
    file.profiles.insert(name.to_owned(), profile);
    let path = path(server)?;
    let failed = |error: String| Failure::Usage(format!("cannot write {}: {error}", path.display()));
    let text = toml::to_string(&file).map_err(|error| failed(error.to_string()))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
    }
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| failed(error.to_string()))?;
    Ok(path)
}

fn load(server: &Server) -> Result<File, Failure> {
    let Ok(path) = path(server) else { return Ok(File::default()) };
    let Ok(text) = fs::read_to_string(&path) else { return Ok(File::default()) };
    toml::from_str(&text).map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))
}

fn path(server: &Server) -> Result<PathBuf, Failure> {
    let folder = server.config_home.clone().or_else(|| Some(server.home.clone()?.join(".config")));
    let folder =
        folder.ok_or_else(|| Failure::Usage("neither XDG_CONFIG_HOME nor HOME is set".to_owned()))?;
    Ok(folder.join("stella").join("config.toml"))
}
