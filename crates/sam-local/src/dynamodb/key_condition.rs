//! Key conditions of queries: the keys that they compare, and a rule of DynamoDB's that the engine lacks.

use serde_json::Value;

/// The key attributes that a query's condition compares, each with a value that it is compared with.
pub(crate) fn compared(query: &Value) -> Vec<(&str, &Value)> {
    let condition = query.get("KeyConditionExpression").and_then(Value::as_str).unwrap_or_default();
    let member = |name, key| query.get(name).and_then(|members| members.get(key));
    let mut key = "";
    let mut compared = Vec::new();
    for token in tokens(condition) {
        if token.starts_with(':') {
            compared.extend(member("ExpressionAttributeValues", token).map(|value| (key, value)));
        } else {
            key = member("ExpressionAttributeNames", token).and_then(Value::as_str).unwrap_or(token);
        }
    }
    compared
}

/// Why DynamoDB rejects a `Query`, if it does: the value of a key may not be empty, in conditions as in
/// items.
pub(super) fn refusal(query: &Value) -> Option<String> {
    let is_empty = |value: &Value| ["S", "B"].iter().any(|kind| value.get(kind) == Some(&Value::from("")));
    let (key, _) = compared(query).into_iter().find(|(_, value)| is_empty(value))?;
    Some(format!(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain \
         an empty string value. Key: {key}"
    ))
}

/// The names of attributes and of values, in order.
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

    /// "The `AttributeValue` for a key attribute cannot contain an empty string value", as DynamoDB answers a
    /// query.
    #[test]
    fn an_empty_value_in_a_key_condition_is_rejected() {
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
        // Values of filters may be empty.
        let filtered = json!({"KeyConditionExpression": "pk = :pk", "FilterExpression": "a = :a",
            "ExpressionAttributeValues": {":pk": {"S": "p"}, ":a": {"S": ""}}});
        assert_eq!(refusal(&filtered), None);
    }
}
