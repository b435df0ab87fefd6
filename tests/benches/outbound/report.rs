//! The table of the results.

use std::fmt::Write as _;

/// One line of the table.
pub struct Row {
    pub what: String,
    pub measured: String,
    pub target: String,
    pub is_reached: bool,
}

impl Row {
    pub fn new(what: impl Into<String>, measured: impl Into<String>, target: &str, is_reached: bool) -> Self {
        Self { what: what.into(), measured: measured.into(), target: target.to_owned(), is_reached }
    }
}

/// Prints the rows, and writes them to the document if all parts ran.
pub fn write(rows: &[Row], is_complete: bool) {
    let mut table = String::from("| What | Measured | Target | |\n|---|---|---|---|\n");
    for row in rows {
        let mark = if row.target.is_empty() {
            ""
        } else if row.is_reached {
            "yes"
        } else {
            "**no**"
        };
        writeln!(table, "| {} | {} | {} | {mark} |", row.what, row.measured, row.target).unwrap();
    }
    println!("{table}");
    if !is_complete {
        return;
    }
    end_to_end::tables::write("benchmarks.md", "outbound", &table);
}
