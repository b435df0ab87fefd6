//! Partial batch responses: which items of a batch failed, by the rules of Lambda's event source mappings.

use std::collections::BTreeSet;

use serde_json::Value;

/// The items of a batch that are delivered again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failed {
    /// No item.
    None,
    /// The items with these identifiers, at least one.
    Some(BTreeSet<String>),
    /// All items: the answer is malformed.
    All,
}

/// Reads an answer with `batchItemFailures` to a batch of items with these identifiers.
///
/// An empty answer and an empty list are a success. After a malformed answer, an empty identifier, or one
/// that is not in the batch, all items are delivered again ("Implementing partial batch responses", AWS
/// Lambda).
pub(crate) fn failed(answer: &str, identifiers: &[&str]) -> Failed {
    let answer = if answer.trim().is_empty() { Ok(Value::Null) } else { serde_json::from_str(answer) };
    let failures = match &answer {
        Ok(Value::Null) => return Failed::None,
        Ok(Value::Object(members)) => match members.get("batchItemFailures") {
            None | Some(Value::Null) => return Failed::None,
            Some(Value::Array(failures)) => failures,
            Some(_) => return Failed::All,
        },
        Ok(_) | Err(_) => return Failed::All,
    };
    let named: Option<BTreeSet<String>> = failures
        .iter()
        .map(|failure| {
            let identifier = failure.get("itemIdentifier").and_then(Value::as_str)?;
            identifiers.contains(&identifier).then(|| identifier.to_owned())
        })
        .collect();
    match named {
        None => Failed::All,
        Some(named) if named.is_empty() => Failed::None,
        Some(named) => Failed::Some(named),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_items_are_delivered_again_as_by_lambda() {
        let some = |identifiers: &[&str]| Failed::Some(identifiers.iter().map(ToString::to_string).collect());
        for (answer, expected) in [
            ("", Failed::None),
            ("null", Failed::None),
            ("{}", Failed::None),
            (r#"{"batchItemFailures":null}"#, Failed::None),
            (r#"{"batchItemFailures":[]}"#, Failed::None),
            (r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#, some(&["b"])),
            (r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"b"}]}"#, some(&["a", "b"])),
            (r#"{"batchItemFailures":[{"itemIdentifier":"c"}]}"#, Failed::All),
            (r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#, Failed::All),
            (r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#, Failed::All),
            (r#"{"batchItemFailures":[{"id":"a"}]}"#, Failed::All),
            (r#"{"batchItemFailures":"a"}"#, Failed::All),
            ("[]", Failed::All),
            (r#""done""#, Failed::All),
            ("{", Failed::All),
        ] {
            assert_eq!(failed(answer, &["a", "b"]), expected, "{answer}");
        }
    }
}
