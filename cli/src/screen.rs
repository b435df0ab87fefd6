//! Where everything is shown: as tables for people, or as JSON for programs.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::failure::Failure;

/// The terminal, or whatever stands in its place.
#[derive(Clone, Copy)]
pub(crate) struct Screen {
    json: bool,
}

/// A column: its title, and where in a row its value is.
pub(crate) type Column = (&'static str, &'static str);

const STRONG: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

impl Screen {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether it is for programs.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// One line, for people alone.
    pub(crate) fn say(self, line: &str) -> Result<(), Failure> {
        if self.json { Ok(()) } else { write(line) }
    }

    /// A value, for programs alone: on one line, so that many can follow each other.
    pub(crate) fn tell(self, value: &Value) -> Result<(), Failure> {
        if self.json { write(&value.to_string()) } else { Ok(()) }
    }

    /// The rows of a list.
    pub(crate) fn table(self, rows: &[Value], columns: &[Column]) -> Result<(), Failure> {
        if self.json {
            return write(&format!("{:#}", Value::Array(rows.to_vec())));
        }
        if rows.is_empty() {
            return self.say(&format!("{FAINT}none{FAINT:#}"));
        }
        let cells: Vec<Vec<String>> =
            rows.iter().map(|row| columns.iter().map(|(_, place)| cell(row, place)).collect()).collect();
        let mut widths: Vec<usize> = columns
            .iter()
            .enumerate()
            .map(|(at, (title, _))| {
                let longest =
                    cells.iter().filter_map(|row| row.get(at)).map(|text| text.chars().count()).max();
                longest.unwrap_or(0).max(title.len())
            })
            .collect();
        // Nothing follows the last.
        if let Some(last) = widths.last_mut() {
            *last = 0;
        }
        let titles: Vec<String> = columns
            .iter()
            .zip(&widths)
            .map(|((title, _), width)| format!("{STRONG}{title:width$}{STRONG:#}"))
            .collect();
        self.say(&titles.join("  "))?;
        for row in &cells {
            let padded: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(text, width)| {
                    let style = style_of(text);
                    format!("{style}{text:width$}{style:#}")
                })
                .collect();
            self.say(&padded.join("  "))?;
        }
        Ok(())
    }

    /// One thing with all its members.
    pub(crate) fn one(self, value: &Value) -> Result<(), Failure> {
        if self.json {
            return write(&format!("{value:#}"));
        }
        let Some(members) = value.as_object() else { return write(&plain(value)) };
        let width = members.keys().map(String::len).max().unwrap_or(0);
        for (name, member) in members {
            let text = plain(member);
            let style = style_of(&text);
            let text = text.replace('\n', &format!("\n{:width$}  ", ""));
            self.say(&format!("{FAINT}{name:width$}{FAINT:#}  {style}{text}{style:#}"))?;
        }
        Ok(())
    }

    /// What went wrong.
    pub(crate) fn fail(self, failure: &Failure) {
        let red = AnsiColor::Red.on_default().bold();
        let line = if self.json {
            match failure {
                Failure::Refused(problem) => problem.to_string(),
                other => serde_json::json!({"success": false, "detail": other.to_string()}).to_string(),
            }
        } else {
            format!("{red}error:{red:#} {failure}")
        };
        // Where even stderr is closed, the exit code is left.
        let _ = writeln!(anstream::stderr(), "{line}");
    }
}

/// A word in the colour that it stands for.
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

/// A line as it is.
pub(crate) fn write(line: &str) -> Result<(), Failure> {
    Ok(writeln!(anstream::stdout(), "{line}")?)
}

/// What a row has at a place, in a few words.
fn cell(row: &Value, place: &str) -> String {
    let value = row.pointer(&format!("/{place}")).unwrap_or(&Value::Null);
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
        Value::String(text) => harmless(text),
        Value::Number(number) => number.to_string(),
        Value::Array(list) if list.is_empty() => "-".to_owned(),
        Value::Array(_) | Value::Object(_) => format!("{value:#}"),
    }
}

/// A text that was said by others, without what a terminal would obey.
pub(crate) fn harmless(text: &str) -> String {
    let shown =
        |character: char| if character.is_control() && character != '\n' { '\u{fffd}' } else { character };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_said_commands_no_terminal() {
        assert_eq!(plain(&json!("\u{1b}[2Jgone\ttab")), "\u{fffd}[2Jgone\u{fffd}tab");
        assert_eq!(cell(&json!({"a": {"b": ["x", 1]}}), "a/b"), "x,1");
    }
}
