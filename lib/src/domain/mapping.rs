//! A mapping: where in a body of any shape the members of a normalised event are found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json_path::JsonPath;

use super::fields::Fields;
use super::normalised::EventKind;

const MOST_CHARACTERS: usize = 512;

/// Members of a normalised event that a mapping may name, and the delivery's own id.
const MEMBERS: [&str; 15] = [
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
    "run",
    "prerelease",
    "url",
    "deliveryId",
];
/// Of those, the ones that may also be said outright, for a body that does not say them.
const LITERAL: [&str; 2] = ["kind", "registry"];

/// One JSONPath a member; `kind` and `registry` may be the value itself instead. Compiled when it is
/// saved; one that was accepted once always compiles again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Mapping {
    said: BTreeMap<String, String>,
    sources: BTreeMap<String, Source>,
}

#[derive(Debug, Clone, PartialEq)]
enum Source {
    Path(JsonPath),
    Literal(Value),
}

impl Source {
    fn parse(member: &str, text: &str) -> Result<Self, String> {
        if text.starts_with('$') {
            let path = JsonPath::parse(text).map_err(|error| format!("is not a JSONPath: {error}"))?;
            return Ok(Self::Path(path));
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

impl TryFrom<BTreeMap<String, String>> for Mapping {
    type Error = String;

    fn try_from(said: BTreeMap<String, String>) -> Result<Self, String> {
        let parse = |(member, text): (&String, &String)| Ok((member.clone(), Source::parse(member, text)?));
        let sources = said.iter().map(parse).collect::<Result<_, String>>()?;
        Ok(Self { said, sources })
    }
}

impl From<Mapping> for BTreeMap<String, String> {
    fn from(mapping: Mapping) -> Self {
        mapping.said
    }
}

impl Mapping {
    /// Reads a mapping's members. For use inside `fields.object("mapping", Mapping::parse)`.
    pub fn parse(fields: &mut Fields<'_>) -> Option<Self> {
        let mut said = BTreeMap::new();
        let mut sources = BTreeMap::new();
        fields.require("repository");
        for member in MEMBERS {
            let Some(text) = fields.text(member, MOST_CHARACTERS) else { continue };
            match Source::parse(member, &text) {
                Ok(source) => {
                    sources.insert(member.to_owned(), source);
                    said.insert(member.to_owned(), text);
                }
                Err(message) => fields.wrong(member, message),
            }
        }
        Some(Self { said, sources })
    }

    /// Whether the mapping says where a member is.
    #[must_use]
    pub fn names(&self, member: &str) -> bool {
        self.sources.contains_key(member)
    }

    /// What a body has for a member: the first value that the path finds and that is not `null`.
    #[must_use]
    pub fn find<'a>(&'a self, member: &str, payload: &'a Value) -> Option<&'a Value> {
        match self.sources.get(member)? {
            Source::Literal(value) => Some(value),
            Source::Path(path) => path.query(payload).into_iter().find(|value| !value.is_null()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(mapping: &Value) -> Result<Mapping, Vec<String>> {
        let body = json!({ "mapping": mapping });
        let mut fields = Fields::of(&body);
        let read = fields.object("mapping", Mapping::parse);
        match fields.finish() {
            Ok(()) => Ok(read.unwrap()),
            Err(error) => Err(error.errors.into_iter().map(|error| error.field).collect()),
        }
    }

    #[test]
    fn a_member_is_found_where_its_path_leads() {
        let mapping = read(&json!({"repository": "$.image.name", "tag": "$.tags[*]", "registry": "ghcr.io"}));
        let mapping = mapping.expect("accepted");
        let payload = json!({"image": {"name": "myorg/myapp"}, "tags": [null, "v1", "v2"]});
        assert_eq!(mapping.find("repository", &payload), Some(&json!("myorg/myapp")));
        assert_eq!(mapping.find("tag", &payload), Some(&json!("v1")));
        assert_eq!(mapping.find("registry", &payload), Some(&json!("ghcr.io")));
        assert_eq!(mapping.find("digest", &payload), None);
        assert_eq!(mapping.find("repository", &json!([])), None);
    }

    #[test]
    fn a_broken_mapping_is_refused_when_saved_with_its_place() {
        let mut mistakes =
            read(&json!({"repository": "$.[", "tag": "image.tag", "kind": "pushed", "colour": "$.a"}))
                .unwrap_err();
        mistakes.sort();
        assert_eq!(mistakes, ["mapping.colour", "mapping.kind", "mapping.repository", "mapping.tag"]);
        assert_eq!(read(&json!({"tag": "$.tag"})), Err(vec!["mapping.repository".to_owned()]));
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        let said = json!({"repository": "$.name", "kind": "ci.finished", "result": "$.status"});
        let mapping = read(&said).unwrap();
        assert_eq!(serde_json::to_value(&mapping).unwrap(), said);
        assert_eq!(serde_json::from_value::<Mapping>(said).unwrap(), mapping);
    }
}
