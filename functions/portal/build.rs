//! Converts the pages of `docs/senders` for the portal.

#[path = "src/guide.rs"]
mod guide;

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use pulldown_cmark::{Options, Parser};
use serde_json::{Value, json};

#[expect(
    clippy::disallowed_methods,
    reason = "Cargo passes a build script the folder for its output in a variable, and reads its standard output"
)]
fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/senders");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files =
        fs::read_dir(&folder)?.map(|file| Ok(file?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    files.sort();
    let mut pages = Vec::new();
    for file in &files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if file.extension().is_some_and(|extension| extension == "md") && name != "README" {
            pages.push((name, fs::read_to_string(file)?));
        }
    }
    let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
    let links = guide::Links { pages: &names, repository: env!("CARGO_PKG_REPOSITORY") };
    let guide = |(name, text): &(String, String)| {
        let mut page = guide::page(Parser::new_ext(text, Options::ENABLE_TABLES), &links);
        if let Some(members) = page.as_object_mut() {
            members.insert("name".to_owned(), json!(name));
        }
        page
    };
    let guides: Vec<Value> = pages.iter().map(guide).collect();
    let target = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("guides.json");
    fs::write(target, Value::from(guides).to_string())
}
