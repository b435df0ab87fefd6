//! Texts that are cut to a length in bytes.

/// The beginning of a text: at most `max` bytes, without a partial character.
///
/// ```
/// use stella::domain::shared::text::cut;
///
/// assert_eq!(cut("aé", 2), "a");
/// ```
#[must_use]
pub fn cut(text: &str, max: usize) -> String {
    text.get(..text.floor_char_boundary(max)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cut_text_is_a_prefix_within_the_limit(text: String, max in 0usize..100) {
            let short = cut(&text, max);
            prop_assert!(short.len() <= max && text.starts_with(&short));
        }
    }
}
