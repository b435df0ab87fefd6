//! What DynamoDB refuses of a key condition and the embedded engine takes.

use serde_json::Value;

/// Why DynamoDB refuses a `Query`, if it does: the value of a key may not be empty, in conditions as in items.
pub(super) fn refusal(query: &Value) -> Option<String> {
    let condition = query.get("KeyConditionExpression")?.as_str()?;
    let values = query.get("ExpressionAttributeValues")?;
    let is_empty = |value: &Value| ["S", "B"].iter().any(|kind| value.get(kind) == Some(&Value::from("")));
    let mut key = "";
    for token in tokens(condition) {
        if !token.starts_with(':') {
            key = token;
        } else if values.get(token).is_some_and(is_empty) {
            let name = query.get("ExpressionAttributeNames").and_then(|names| names.get(key)?.as_str());
            return Some(format!(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain \
                 an empty string value. Key: {}",
                name.unwrap_or(key)
            ));
        }
    }
    None
}

/// The names of keys and of values, in order.
fn tokens(condition: &str) -> impl Iterator<Item = &str> {
    let is_part =
        |character: char| character.is_alphanumeric() || matches!(character, ':' | '#' | '_' | '.' | '-');
    let is_name =
        |token: &&str| !matches!(*token, "" | "AND" | "BETWEEN" | "begins_with" | "and" | "between");
    condition.split(move |character| !is_part(character)).filter(is_name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// "The `AttributeValue` for a key attribute cannot contain an empty string value", as DynamoDB answers a query.
    #[test]
    fn a_key_condition_has_no_empty_value() {
        for condition in
            ["pk = :pk AND sk BETWEEN :a AND :b", "pk = :pk AND begins_with(sk, :a)", "pk=:pk AND sk>:a"]
        {
            let query = |a: &str| {
                json!({"KeyConditionExpression": condition,
                    "ExpressionAttributeValues": {":pk": {"S": "p"}, ":a": {"S": a}, ":b": {"S": "z"}}})
            };
            assert!(refusal(&query("")).is_some_and(|why| why.ends_with("Key: sk")), "{condition}");
            assert_eq!(refusal(&query("a")), None);
        }
        let named = json!({"KeyConditionExpression": "#k = :pk", "ExpressionAttributeNames": {"#k": "pk"},
            "ExpressionAttributeValues": {":pk": {"S": ""}}});
        assert!(refusal(&named).is_some_and(|why| why.ends_with("Key: pk")));
        // What only filters may be empty.
        let filtered = json!({"KeyConditionExpression": "pk = :pk", "FilterExpression": "a = :a",
            "ExpressionAttributeValues": {":pk": {"S": "p"}, ":a": {"S": ""}}});
        assert_eq!(refusal(&filtered), None);
    }
}
