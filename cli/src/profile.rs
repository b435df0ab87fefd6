//! Profiles: which server, and with which key, as `stella login` wrote them down.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::options::Server;

/// Where the local stack answers unless it is told otherwise.
const USUAL_URL: &str = "http://127.0.0.1:8787";

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

/// The profile that is named, with what is said outright over it.
pub(crate) fn chosen(server: &Server) -> Result<Profile, Failure> {
    let file = read(server)?;
    let name = server.profile.as_deref().unwrap_or("default");
    let known = file.profiles.get(name).cloned();
    if known.is_none() && server.profile.is_some() {
        let names: Vec<&str> = file.profiles.keys().map(String::as_str).collect();
        let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(Failure::Usage(format!("there is no profile {name}; there is {there}")));
    }
    let known = known.unwrap_or_else(|| Profile { url: USUAL_URL.to_owned(), key: None });
    Ok(Profile {
        url: server.url.clone().unwrap_or(known.url).trim_end_matches('/').to_owned(),
        key: server.key.clone().or(known.key),
    })
}

/// Writes a profile down, for the user's eyes only; where.
pub(crate) fn save(server: &Server, name: &str, profile: Profile) -> Result<PathBuf, Failure> {
    let mut file = read(server)?;
    file.profiles.insert(name.to_owned(), profile);
    let path = place(server)?;
    let wrong = |error: String| Failure::Usage(format!("{} cannot be written: {error}", path.display()));
    let text = toml::to_string(&file).map_err(|error| wrong(error.to_string()))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| wrong(error.to_string()))?;
    }
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| wrong(error.to_string()))?;
    Ok(path)
}

fn read(server: &Server) -> Result<File, Failure> {
    let Ok(path) = place(server) else { return Ok(File::default()) };
    let Ok(text) = fs::read_to_string(&path) else { return Ok(File::default()) };
    toml::from_str(&text)
        .map_err(|error| Failure::Usage(format!("{} cannot be read: {error}", path.display())))
}

fn place(server: &Server) -> Result<PathBuf, Failure> {
    let folder = server.config_home.clone().or_else(|| Some(server.home.clone()?.join(".config")));
    let folder =
        folder.ok_or_else(|| Failure::Usage("neither XDG_CONFIG_HOME nor HOME is set".to_owned()))?;
    Ok(folder.join("stella").join("config.toml"))
}
