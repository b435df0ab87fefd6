//! Percent-encoding in paths and queries.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// The ASCII characters that neither a path nor a query may hold as they are (RFC 3986).
const RESERVED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Decodes a part of a path. Bytes that are not UTF-8 become the replacement character.
pub(super) fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// Decodes a part of a query, in which a plus is a space.
pub(super) fn decoded_query(part: &str) -> String {
    decoded(&part.replace('+', "%20"))
}

/// Encodes every character that is not allowed in a path or query, so that every URL parser accepts it.
pub(super) fn cleaned(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn malformed_escapes_stay_as_they_are() {
        assert_eq!(decoded("a%20b%2Fc%zz%2"), "a b/c%zz%2");
        assert_eq!(decoded("a+b"), "a+b");
        assert_eq!(decoded_query("a+b%2B"), "a b+");
        assert_eq!(cleaned("/a/{b}?é"), "/a/%7Bb%7D?%C3%A9");
    }

    proptest! {
        #[test]
        fn decoding_reverses_cleaning(text in "[^%]*") {
            prop_assert_eq!(decoded(&cleaned(&text)), text);
        }

        #[test]
        fn a_cleaned_text_is_a_uri(text in any::<String>()) {
            let path = format!("/{}", cleaned(&text));
            prop_assert!(path.parse::<http::Uri>().is_ok());
        }
    }
}
