//! How many bytes the answer of a Lambda function may have.

/// The largest answer of a Lambda function, in bytes: 6 MB ("Invocation payload" in [Lambda's quotas]). The
/// answer is JSON, with the HTTP body as one of its strings.
///
/// [Lambda's quotas]: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
pub const MAX_ANSWER_BYTES: usize = 6_291_556;

/// The part of [`MAX_ANSWER_BYTES`] that rows may take. The rest is for headers and for what is around the
/// rows.
const MAX_ROWS_BYTES: usize = 5 * 1024 * 1024;

/// The space for rows in one answer. See [`Room::takes`].
#[derive(Debug, Default)]
pub struct Room {
    used: usize,
}

impl Room {
    /// Reserves space for a row, given as JSON text. False if the row does not fit any more.
    pub fn takes(&mut self, json: &str) -> bool {
        self.used = self.used.saturating_add(escaped_bytes(json));
        self.used <= MAX_ROWS_BYTES
    }
}

/// The length of a JSON text as a string inside JSON, in bytes: each quote and each backslash takes another
/// byte.
///
/// ```
/// use stella::domain::shared::answer_size::escaped_bytes;
///
/// assert_eq!(escaped_bytes(r#"{"a":1}"#), r#"{\"a\":1}"#.len());
/// ```
#[must_use]
pub fn escaped_bytes(json: &str) -> usize {
    let escaped = json.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    json.len().saturating_add(escaped)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn escaped_bytes_are_those_of_the_text_inside_a_json_string() {
        for value in [json!({"a": "\"\\\n\u{1}ä"}), json!([]), json!("x")] {
            let text = value.to_string();
            let within = Value::String(text.clone()).to_string();
            assert_eq!(escaped_bytes(&text), within.len() - 2, "{text}");
        }
    }

    #[test]
    fn rows_are_accepted_until_the_space_is_used_up() {
        let row = format!("{:?}", "x".repeat(1024 * 1024));
        let mut room = Room::default();
        let taken = (0..10).take_while(|_| room.takes(&row)).count();
        assert_eq!(taken, 4);
    }
}
