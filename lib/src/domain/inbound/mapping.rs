//! Mappings: where in a body of unknown form the members of a normalised event are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::normalised::EventKind;
use crate::domain::shared::expression::{Budget, Failure, MAX_PATH, Node, Path};
use crate::domain::shared::object_reader::ObjectReader;

/// The members that a mapping may have: those of a normalised event, and the sender's delivery id.
const MEMBERS: [&str; 20] = [
    "kind",
    "registry",
    "repository",
    "tag",
    "digest",
    "pushedAt",
    "pusher",
    "commit",
    "branch",
    "ref",
    "result",
    "pipeline",
    "run",
    "runId",
    "pullRequest",
    "sourceRepository",
    "prerelease",
    "url",
    "before",
    "deliveryId",
];
/// Those of [`MEMBERS`] that may also be a constant, for a body that does not have them.
const LITERAL: [&str; 3] = ["kind", "registry", "result"];

/// What members of a mapping mean, in the API's description.
const PATH: &str = "A JSONPath: where the body has this member of the normalised event.";
const PATH_OR_VALUE: &str =
    "A JSONPath: where the body has this member of the normalised event. Or the value itself.";

/// A JSONPath for each member. `kind`, `registry` and `result` may be a constant instead. A stored member that would be
/// refused now is broken, and finds nothing.
///
/// ```
/// use serde_json::json;
/// use stella::domain::inbound::mapping::Mapping;
/// use stella::domain::shared::expression::Budget;
///
/// let mapping = json!({"repository": "$.image.name", "tag": "$.tags[*]", "kind": "artifact.pushed"});
/// let mapping: Mapping = serde_json::from_value(mapping).unwrap();
/// let body = json!({"image": {"name": "myorg/myapp"}, "tags": [null, "v1"]});
/// let find = |member| mapping.find(member, &body, &mut Budget::default()).cloned();
///
/// assert_eq!(find("repository"), Some(json!("myorg/myapp")));
/// assert_eq!(find("tag"), Some(json!("v1")));
/// assert_eq!(find("kind"), Some(json!("artifact.pushed")));
/// assert_eq!(find("digest"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Mapping {
    written: BTreeMap<String, String>,
    sources: BTreeMap<String, Result<Source, String>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Source {
    Path(Path),
    Literal(Value),
}

impl Source {
    fn parse(member: &str, text: &str) -> Result<Self, String> {
        if text.starts_with('$') {
            return Path::json(text).map(Self::Path);
        }
        if !LITERAL.contains(&member) {
            return Err("must be a JSONPath, which begins with $".to_owned());
        }
        if member == "kind" && !EventKind::ALL.iter().any(|(name, _)| *name == text) {
            let names: Vec<&str> = EventKind::ALL.iter().map(|(name, _)| *name).collect();
            return Err(format!("must be a JSONPath, or one of {}", names.join(", ")));
        }
        Ok(Self::Literal(Value::from(text)))
    }
}

impl From<BTreeMap<String, String>> for Mapping {
    fn from(written: BTreeMap<String, String>) -> Self {
        let parse = |(member, text): (&String, &String)| (member.clone(), Source::parse(member, text));
        let sources = written.iter().map(parse).collect();
        Self { written, sources }
    }
}

impl From<Mapping> for BTreeMap<String, String> {
    fn from(mapping: Mapping) -> Self {
        mapping.written
    }
}

impl Mapping {
    /// Reads the members of a mapping. For `fields.object("mapping", Mapping::parse)`.
    pub fn parse(fields: &mut ObjectReader<'_>) -> Option<Self> {
        let mut written = BTreeMap::new();
        let mut sources = BTreeMap::new();
        fields.require("repository");
        for member in MEMBERS {
            fields.describe(member, if LITERAL.contains(&member) { PATH_OR_VALUE } else { PATH });
            let Some(text) = fields.text(member, MAX_PATH) else { continue };
            match Source::parse(member, &text) {
                Ok(source) => {
                    sources.insert(member.to_owned(), Ok(source));
                    written.insert(member.to_owned(), text);
                }
                Err(message) => fields.wrong(member, message),
            }
        }
        Some(Self { written, sources })
    }

    /// Whether the mapping has a member.
    #[must_use]
    pub fn names(&self, member: &str) -> bool {
        self.sources.contains_key(member)
    }

    /// What is wrong with stored members that would be refused now, each with its place, as in `mapping.tag:
    /// …`.
    pub fn mistakes(&self) -> impl Iterator<Item = String> {
        let describe = |(member, source): (&String, &Result<Source, String>)| {
            Some(format!("mapping.{member}: {}", source.as_ref().err()?))
        };
        self.sources.iter().filter_map(describe)
    }

    /// The value of a member in a body: the first one that its path selects and that is not `null`. A path
    /// that fails finds nothing, and is noted in the budget.
    #[must_use]
    pub fn find<'a>(&'a self, member: &str, payload: &'a Value, budget: &mut Budget) -> Option<&'a Value> {
        let found = match self.sources.get(member)? {
            Ok(Source::Literal(value)) => return Some(value),
            Ok(Source::Path(path)) => first(path, payload, budget),
            Err(_) => Err(Failure::Broken),
        };
        found.unwrap_or_else(|failure| {
            budget.note(&format!("mapping.{member}"), failure);
            None
        })
    }
}

/// The first value that a path selects and that is not `null`.
fn first<'a>(path: &Path, payload: &'a Value, budget: &mut Budget) -> Result<Option<&'a Value>, Failure> {
    let mut first = None;
    path.any(Node::Value(payload), budget, |found, _| {
        first = found.value().filter(|value| !value.is_null());
        Ok(first.is_some())
    })?;
    Ok(first)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(mapping: &Value) -> Result<Mapping, Vec<String>> {
        let body = json!({ "mapping": mapping });
        let mut fields = ObjectReader::of(&body);
        let read = fields.object("mapping", Mapping::parse);
        match fields.finish() {
            Ok(()) => Ok(read.unwrap()),
            Err(error) => Err(error.errors.into_iter().map(|error| error.field).collect()),
        }
    }

    #[test]
    fn a_member_is_found_by_its_path() {
        let mapping = read(&json!({"repository": "$.image.name", "tag": "$.tags[*]", "registry": "ghcr.io"}));
        let mapping = mapping.expect("accepted");
        let payload = json!({"image": {"name": "myorg/myapp"}, "tags": [null, "v1", "v2"]});
        let find = |member, payload| mapping.find(member, payload, &mut Budget::default()).cloned();
        assert_eq!(find("repository", &payload), Some(json!("myorg/myapp")));
        assert_eq!(find("tag", &payload), Some(json!("v1")));
        assert_eq!(find("registry", &payload), Some(json!("ghcr.io")));
        assert_eq!(find("digest", &payload), None);
        assert_eq!(find("repository", &json!([])), None);
    }

    #[test]
    fn a_broken_mapping_is_refused_with_its_place() {
        let mut mistakes =
            read(&json!({"repository": "$.[", "tag": "image.tag", "kind": "pushed", "colour": "$.a"}))
                .unwrap_err();
        mistakes.sort();
        assert_eq!(mistakes, ["mapping.colour", "mapping.kind", "mapping.repository", "mapping.tag"]);
        assert_eq!(read(&json!({"tag": "$.tag"})), Err(vec!["mapping.repository".to_owned()]));
    }

    #[test]
    fn a_stored_member_that_would_be_refused_now_is_broken_and_the_others_are_not() {
        let written = json!({"repository": "$..a..b", "tag": "$.tag"});
        let stored: Mapping = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&stored).unwrap(), written);
        assert_eq!(stored.mistakes().count(), 1);
        let (payload, mut budget) = (json!({"tag": "v1"}), Budget::default());
        assert_eq!(stored.find("tag", &payload, &mut budget), Some(&json!("v1")));
        assert_eq!(budget.take_failures(), None);
        assert_eq!(stored.find("repository", &payload, &mut budget), None);
        assert!(budget.take_failures().unwrap().message.starts_with("mapping.repository was accepted"));
    }

    #[test]
    fn a_mapping_is_written_as_it_is_read() {
        let written = json!({"repository": "$.name", "kind": "ci.finished", "result": "$.status"});
        let mapping = read(&written).unwrap();
        assert_eq!(serde_json::to_value(&mapping).unwrap(), written);
        assert_eq!(serde_json::from_value::<Mapping>(written).unwrap(), mapping);
    }
}
