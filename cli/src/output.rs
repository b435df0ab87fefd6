//! The output of commands: tables for people, JSON for programs.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::failure::Failure;

/// The standard output, as text or, with `--json`, as JSON.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

/// A column: its title, and the JSON pointer of its value in a row, without the leading slash.
pub(crate) type Column = (&'static str, &'static str);

const STRONG: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether the output is JSON.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a line of text; nothing with `--json`.
    pub(crate) fn print_text(self, line: &str) -> Result<(), Failure> {
        if self.json { Ok(()) } else { print_line(line) }
    }

    /// Prints a value as one line of JSON, so that values can be streamed; nothing without `--json`.
    pub(crate) fn print_json(self, value: &Value) -> Result<(), Failure> {
        if self.json { print_line(&value.to_string()) } else { Ok(()) }
    }

    /// Prints the rows of a list.
    pub(crate) fn print_table(self, rows: &[Value], columns: &[Column]) -> Result<(), Failure> {
        if self.json {
            return print_line(&format!("{:#}", Value::Array(rows.to_vec())));
        }
        if rows.is_empty() {
            return self.print_text(&format!("{FAINT}none{FAINT:#}"));
        }
        let cells: Vec<Vec<String>> =
            rows.iter().map(|row| columns.iter().map(|(_, pointer)| cell(row, pointer)).collect()).collect();
        let mut widths: Vec<usize> = columns
            .iter()
            .enumerate()
            .map(|(at, (title, _))| {
                let longest =
                    cells.iter().filter_map(|row| row.get(at)).map(|text| text.chars().count()).max();
                longest.unwrap_or(0).max(title.len())
            })
            .collect();
        // The last column needs no padding.
        if let Some(last) = widths.last_mut() {
            *last = 0;
        }
        let titles: Vec<String> = columns
            .iter()
            .zip(&widths)
            .map(|((title, _), width)| format!("{STRONG}{title:width$}{STRONG:#}"))
            .collect();
        self.print_text(&titles.join("  "))?;
        for row in &cells {
            let padded: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(text, width)| {
                    let style = style_of(text);
                    format!("{style}{text:width$}{style:#}")
                })
                .collect();
            self.print_text(&padded.join("  "))?;
        }
        Ok(())
    }

    /// Prints an object, one member a line.
    pub(crate) fn print_object(self, value: &Value) -> Result<(), Failure> {
        if self.json {
            return print_line(&format!("{value:#}"));
        }
        let Some(members) = value.as_object() else { return print_line(&plain(value)) };
        let width = members.keys().map(String::len).max().unwrap_or(0);
        for (name, member) in members {
            let text = plain(member);
            let style = style_of(&text);
            let text = text.replace('\n', &format!("\n{:width$}  ", ""));
            self.print_text(&format!("{FAINT}{name:width$}{FAINT:#}  {style}{text}{style:#}"))?;
        }
        Ok(())
    }

    /// Prints a failure on standard error.
    pub(crate) fn print_error(self, failure: &Failure) {
        let red = AnsiColor::Red.on_default().bold();
        let line = if self.json {
            match failure {
                Failure::Refused(problem) | Failure::SenderRefused(problem) => problem.to_string(),
                other => serde_json::json!({"success": false, "detail": other.to_string()}).to_string(),
            }
        } else {
            format!("{red}error:{red:#} {failure}")
        };
        // If standard error is closed too, the exit code still reports the failure.
        let _ = writeln!(anstream::stderr(), "{line}");
    }
}

/// A count with its noun: `1 request`, `2 requests`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A status word in its colour.
pub(crate) fn coloured(word: &str) -> String {
    let style = style_of(word);
    format!("{style}{word}{style:#}")
}

fn style_of(text: &str) -> Style {
    let colour = match text {
        "delivered" | "processed" | "completed" | "closed" | "ok" | "yes" => AnsiColor::Green,
        "failed" | "open" | "cancelled" | "no" => AnsiColor::Red,
        "retrying" | "paused" | "pending" | "skipped" | "half-open" | "queued" | "running" => {
            AnsiColor::Yellow
        }
        _ => return Style::new(),
    };
    colour.on_default()
}

/// Prints a line unchanged.
pub(crate) fn print_line(line: &str) -> Result<(), Failure> {
    Ok(writeln!(anstream::stdout(), "{line}")?)
}

/// The text of a table cell.
fn cell(row: &Value, pointer: &str) -> String {
    let value = row.pointer(&format!("/{pointer}")).unwrap_or(&Value::Null);
    match value {
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(","),
        other => plain(other),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => sanitized(text),
        Value::Number(number) => number.to_string(),
        Value::Array(list) if list.is_empty() => "-".to_owned(),
        Value::Array(_) | Value::Object(_) => format!("{value:#}"),
    }
}

/// A foreign text with control characters replaced, so that it cannot send escape sequences to the terminal.
pub(crate) fn sanitized(text: &str) -> String {
    let shown =
        |character: char| if character.is_control() && character != '\n' { '\u{fffd}' } else { character };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn control_characters_of_foreign_texts_are_replaced() {
        assert_eq!(plain(&json!("\u{1b}[2Jgone\ttab")), "\u{fffd}[2Jgone\u{fffd}tab");
        assert_eq!(cell(&json!({"a": {"b": ["x", 1]}}), "a/b"), "x,1");
    }
}
