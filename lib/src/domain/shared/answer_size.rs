//! How much an answer can hold.

/// The largest answer that Lambda gives back, in bytes ("Function payload limits" of its quotas: 6 MB), as JSON with
/// the body as one of its strings.
pub const MAX_ANSWER_BYTES: usize = 6_291_556;

/// Of that, what rows may fill: the rest is for headers and for what stands around the rows.
const MAX_ROWS_BYTES: usize = 5 * 1024 * 1024;

/// The room that rows have in one answer.
#[derive(Debug, Default)]
pub struct Room {
    used: usize,
}

impl Room {
    /// Takes a row's room, given as JSON text. False when it has not that much left.
    pub fn takes(&mut self, json: &str) -> bool {
        self.used = self.used.saturating_add(escaped_bytes(json));
        self.used <= MAX_ROWS_BYTES
    }
}

/// The bytes of a JSON text as a string within JSON: each quote and each backslash takes another byte.
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
    fn escaped_bytes_are_those_that_a_string_has() {
        for value in [json!({"a": "\"\\\n\u{1}ä"}), json!([]), json!("x")] {
            let text = value.to_string();
            let within = Value::String(text.clone()).to_string();
            assert_eq!(escaped_bytes(&text), within.len() - 2, "{text}");
        }
    }

    #[test]
    fn rows_are_taken_until_the_room_is_used_up() {
        let row = format!("{:?}", "x".repeat(1024 * 1024));
        let mut room = Room::default();
        let taken = (0..10).take_while(|_| room.takes(&row)).count();
        assert_eq!(taken, 4);
    }
}
