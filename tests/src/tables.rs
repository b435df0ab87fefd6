//! Writes tables of measured figures into the documents in `docs`.

use std::path::PathBuf;

/// Puts a table between the markers `<!-- name -->` and `<!-- /name -->` of a document in `docs`.
///
/// # Panics
/// If the document lacks the markers or cannot be written.
pub fn write(document: &str, name: &str, table: &str) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "docs", document].iter().collect();
    let text = std::fs::read_to_string(&path).expect("a document");
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = text.split_once(&begin).expect("the first marker");
    let (_, after) = rest.split_once(&end).expect("the second marker");
    std::fs::write(&path, format!("{before}{begin}\n{table}\n{end}{after}"))
        .expect("a document that may be written");
}
