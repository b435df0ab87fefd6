//! Parses YAML into JSON, and short forms (`!Sub`) into full ones (`Fn::Sub`).

use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;

use super::wrong;
use crate::error::Error;

/// Parses a template.
pub(super) fn parse(text: &str) -> Result<Value, Error> {
    let yaml: Yaml = serde_yaml_ng::from_str(text)
        .map_err(|error| wrong(error.to_string(), "The template is not YAML").caused_by(error))?;
    expanded(yaml)
}

fn expanded(yaml: Yaml) -> Result<Value, Error> {
    match yaml {
        Yaml::Null => Ok(Value::Null),
        Yaml::Bool(flag) => Ok(flag.into()),
        Yaml::Number(number) => serde_json::to_value(&number)
            .map_err(|error| wrong(number.to_string(), "The template has an odd number").caused_by(error)),
        Yaml::String(text) => Ok(text.into()),
        Yaml::Sequence(entries) => entries.into_iter().map(expanded).collect(),
        Yaml::Mapping(members) => {
            let mut object = Map::new();
            for (name, value) in members {
                let Yaml::String(name) = name else {
                    return Err(wrong(format!("{name:?}"), "The template has a name that is not text"));
                };
                object.insert(name, expanded(value)?);
            }
            Ok(Value::Object(object))
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let argument = expanded(tagged.value)?;
            Ok(match (tag.trim_start_matches('!'), argument) {
                (name @ ("Ref" | "Condition"), argument) => json!({name: argument}),
                // `!GetAtt Queue.Arn` is short for `Fn::GetAtt: [Queue, Arn]`.
                ("GetAtt", Value::String(path)) => match path.split_once('.') {
                    Some((id, attribute)) => json!({"Fn::GetAtt": [id, attribute]}),
                    None => return Err(wrong(path, "GetAtt needs a resource and an attribute")),
                },
                (name, argument) => json!({format!("Fn::{name}"): argument}),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_expanded() {
        let text = "a: !Sub '${X}'\nb: !GetAtt Queue.Arn\nc: !Not [!Condition D]\nd: !Ref E\ne: [1, true, null, 1.5]";
        let expected = json!({
            "a": {"Fn::Sub": "${X}"},
            "b": {"Fn::GetAtt": ["Queue", "Arn"]},
            "c": {"Fn::Not": [{"Condition": "D"}]},
            "d": {"Ref": "E"},
            "e": [1, true, null, 1.5],
        });
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn duplicate_members_are_rejected() {
        assert!(parse("a: 1\na: 2").is_err());
        assert!(parse("a: !GetAtt Queue").is_err());
        assert!(parse("a: [").is_err());
    }
}
