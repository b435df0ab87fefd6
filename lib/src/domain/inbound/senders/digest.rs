//! Digests as senders write them: what has the form of one, and what a registry could serve.

use crate::domain::inbound::normalised::NormalisedEvent;

/// Hexadecimal digits of each algorithm that registries know.
const LENGTHS: [(&str, usize); 2] = [("sha256", 64), ("sha512", 128)];
const MAX_BYTES: usize = 256;

/// Whether a text is written `algorithm:value`. The layer ids in Docker Hub's oldest bodies have no algorithm.
#[must_use]
pub fn has_form(text: &str) -> bool {
    let Some((algorithm, value)) = text.split_once(':') else { return false };
    let word =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.len() <= MAX_BYTES
        && algorithm.split(['+', '.', '_', '-']).all(word)
        && !value.is_empty()
        && value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':' && byte != b'/')
}

/// Whether a registry could serve it: SHA-256 or SHA-512 with its length of lower-case hex. Some digests in
/// vendors' own samples are invalid.
#[must_use]
pub fn is_valid(text: &str) -> bool {
    let hex = |value: &str| value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    text.split_once(':')
        .is_some_and(|(algorithm, value)| LENGTHS.contains(&(algorithm, value.len())) && hex(value))
}

/// Notes the digest that a sender wrote, if it has the form of one, and whether it is valid.
pub(super) fn note(event: &mut NormalisedEvent, written: Option<&str>) {
    event.digest = written.filter(|written| has_form(written)).map(str::to_owned);
    event.digest_valid = event.digest.as_deref().is_some_and(is_valid);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_algorithm_colon_value() {
        for good in
            ["sha256:abc123...", "sha512:00", "sha256+b64:LCa0a2j_xo-5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564="]
        {
            assert!(has_form(good), "{good}");
        }
        for bad in [
            "",
            ":",
            "sha256:",
            ":abc",
            "27d47432a69bca5f2700e4dff7de0388",
            "...",
            "SHA256:abc",
            "sha256:a b",
            "sha256:a\n",
            "https://example.com",
            "a::b",
        ] {
            assert!(!has_form(bad), "{bad:?}");
        }
    }

    #[test]
    fn only_the_right_length_of_lower_case_hex_is_valid() {
        assert!(is_valid(&format!("sha256:{}", "0a".repeat(32))));
        assert!(is_valid(&format!("sha512:{}", "0a".repeat(64))));
        for bad in [
            format!("sha256:{}", "0a".repeat(30)),
            format!("sha256:{}0", "0a".repeat(32)),
            format!("sha256:{}", "0A".repeat(32)),
            format!("sha256:{}", "0g".repeat(32)),
            format!("sha384:{}", "0a".repeat(48)),
            "0a".repeat(32),
            String::new(),
        ] {
            assert!(!is_valid(&bad), "{bad}");
        }
    }
}
