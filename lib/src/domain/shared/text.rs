//! Texts that are cut to a size.

/// The beginning of a text: at most `most` bytes, and whole characters.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cut_text_is_short_and_a_beginning(text: String, most in 0usize..100) {
            let short = cut(&text, most);
            prop_assert!(short.len() <= most && text.starts_with(&short));
        }
    }
}
