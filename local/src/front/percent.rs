//! Percent-encoding in paths and queries.

/// A part of a path, decoded. Bytes that are no UTF-8 become the replacement character.
pub(super) fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let pair = (byte == b'%').then(|| Some((hex(ahead.next()?)?, hex(ahead.next()?)?))).flatten();
        match pair {
            Some((high, low)) => {
                bytes.push(high.wrapping_shl(4) | low);
                rest = ahead;
            }
            None => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A part of a query, decoded: a plus is a space too.
pub(super) fn decoded_query(part: &str) -> String {
    decoded(&part.replace('+', "%20"))
}

/// A path or query in which only what may stand there stands as it is, so that any reader takes it.
pub(super) fn cleaned(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut clean, byte| {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte) {
            clean.push(char::from(byte));
        } else {
            clean.push('%');
            clean.extend([byte.wrapping_shr(4), byte & 15].map(digit));
        }
        clean
    })
}

/// A number below 16 as a digit.
fn digit(number: u8) -> char {
    char::from_digit(u32::from(number), 16).unwrap_or('0').to_ascii_uppercase()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_encoded_stays() {
        assert_eq!(decoded("a%20b%2Fc%zz%2"), "a b/c%zz%2");
        assert_eq!(decoded("a+b"), "a+b");
        assert_eq!(decoded_query("a+b%2B"), "a b+");
        assert_eq!(cleaned("/a/{b}?é"), "/a/%7Bb%7D?%C3%A9");
    }

    proptest! {
        #[test]
        fn cleaning_changes_nothing_that_decoding_would_see(text in "[^%]*") {
            prop_assert_eq!(decoded(&cleaned(&text)), text);
        }

        #[test]
        fn a_clean_text_is_a_uri(text in any::<String>()) {
            let path = format!("/{}", cleaned(&text));
            prop_assert!(path.parse::<http::Uri>().is_ok());
        }
    }
}
