//! The policy of a function: the grants of its `Allow` statements.

use std::fmt;

use serde_json::Value;

use super::access_request::AccessRequest;
use crate::template::names::secret_arn;

/// The permissions of a function.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy(Vec<Grant>);

/// The permission for one action on one resource.
#[derive(Debug, Clone, PartialEq)]
struct Grant {
    statement: String,
    action: String,
    resource: String,
    /// The patterns of which the partition key must match one. Empty: any key.
    leading_keys: Vec<String>,
    /// Whether it was used.
    is_used: bool,
}

impl Policy {
    /// Reads a function's `Policies`. `Deny` statements are not evaluated.
    pub(crate) fn read(policies: &Value) -> Self {
        let statements = list(policies).iter().filter_map(|policy| policy.get("Statement")).flat_map(list);
        let allowing = statements.filter(|statement| statement.get("Effect").is_some_and(|it| it == "Allow"));
        Self(allowing.flat_map(grants).collect())
    }

    /// Whether it allows this access, and by which grant.
    pub(super) fn allows(&mut self, request: &AccessRequest) -> Option<Use> {
        let grant = self.0.iter_mut().find(|grant| grant.covers(request))?;
        let is_first = !std::mem::replace(&mut grant.is_used, true);
        Some(if is_first { Use::First(grant.to_string()) } else { Use::Repeated })
    }

    /// All permissions, each as `Statement action resource`.
    pub fn grants(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(Grant::to_string)
    }
}

/// The use of a permission.
#[derive(Debug, PartialEq)]
pub(super) enum Use {
    /// The first use of this one.
    First(String),
    /// Another use.
    Repeated,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.statement, self.action, self.resource)
    }
}

impl Grant {
    fn covers(&self, request: &AccessRequest) -> bool {
        let has_its_key = || {
            let key = request.leading_key.as_deref();
            key.is_some_and(|key| self.leading_keys.iter().any(|pattern| matches(key, pattern)))
        };
        self.action == request.action
            && matches(&request.resource, &self.resource)
            && (self.leading_keys.is_empty() || has_its_key())
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    value.map(list).unwrap_or_default().iter().filter_map(Value::as_str).collect()
}

fn grants(statement: &Value) -> Vec<Grant> {
    let name = statement.get("Sid").and_then(Value::as_str).unwrap_or_default();
    let keys = statement.pointer("/Condition/ForAllValues:StringLike/dynamodb:LeadingKeys");
    let leading_keys: Vec<String> = texts(keys).into_iter().map(str::to_owned).collect();
    let resources = texts(statement.get("Resource"));
    let grant = |action: &str, resource: &str| Grant {
        statement: name.to_owned(),
        action: action.to_owned(),
        resource: if resource.starts_with('/') { secret_arn(resource) } else { resource.to_owned() },
        leading_keys: leading_keys.clone(),
        is_used: false,
    };
    let actions = texts(statement.get("Action")).into_iter();
    actions
        .flat_map(|action| resources.iter().map(move |resource| (action, *resource)))
        .map(|(a, r)| grant(a, r))
        .collect()
}

/// Whether a text matches a pattern, in which `*` matches any text.
fn matches(text: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => text == pattern,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let mut ends = rest.char_indices().map(|(end, _)| end).chain([rest.len()]);
            ends.any(|end| rest.get(end..).is_some_and(|rest| matches(rest, after)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(action: &str, resource: &str, key: Option<&str>) -> AccessRequest {
        let text = str::to_owned;
        AccessRequest { action: text(action), resource: text(resource), leading_key: key.map(text) }
    }

    #[test]
    fn asterisks_match_any_text() {
        for (text, pattern) in
            [("", ""), ("a", "a"), ("", "*"), ("abc", "a*"), ("abcbd", "a*b*d"), ("aXa", "*a")]
        {
            assert!(matches(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [("a", ""), ("", "a"), ("ab", "a"), ("abc", "a*b"), ("xabc", "a*")] {
            assert!(!matches(text, pattern), "{text} {pattern}");
        }
    }

    #[test]
    fn a_statement_allows_its_actions_on_its_resources_for_its_leading_keys() {
        let policies = json!([{"Statement": [
            {"Sid": "A", "Effect": "Allow", "Action": ["d:Get", "d:Put"], "Resource": "t",
                "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["X#*", "Y#*#Z"]}}},
            {"Sid": "B", "Effect": "Allow", "Action": "s:Read", "Resource": ["/one", "/two/*"]},
            {"Sid": "C", "Effect": "Deny", "Action": "d:Drop", "NotResource": "t"},
        ]}]);
        let mut policy = Policy::read(&policies);
        let secret = secret_arn;
        for allowed in [
            request("d:Get", "t", Some("X#1")),
            request("d:Put", "t", Some("Y#1#Z")),
            request("s:Read", &secret("/two/2"), None),
        ] {
            assert!(policy.allows(&allowed).is_some(), "{allowed:?}");
        }
        for refused in [
            request("d:Get", "t", Some("Y#1")),
            request("d:Get", "t", None),
            request("d:Get", "u", Some("X#1")),
            request("d:Drop", "u", None),
            request("s:Read", &secret("/one/1"), None),
        ] {
            assert_eq!(policy.allows(&refused), None, "{refused:?}");
        }
        assert_eq!(policy.allows(&request("d:Get", "t", Some("X#2"))), Some(Use::Repeated));
        let expected = ["A d:Get t", "A d:Put t"].map(str::to_owned).into_iter();
        let expected = expected.chain(["/one", "/two/*"].map(|name| format!("B s:Read {}", secret(name))));
        assert_eq!(policy.grants().collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}
