//! The parameters of the template: the given values and the defaults, which must be within the declared
//! bounds.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value};

use super::members::{Members, scalar};
use super::wrong;
use crate::error::Error;

/// The value of each parameter.
pub(super) fn read(
    declared: &Map<String, Value>,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Error> {
    if let Some(name) = given.keys().find(|name| !declared.contains_key(*name)) {
        return Err(wrong(name, "The template has no such parameter"));
    }
    let mut values = BTreeMap::new();
    for (name, declaration) in declared {
        let place = format!("Parameters.{name}");
        values.insert(name.clone(), parameter(&place, declaration, given.get(name))?);
    }
    Ok(values)
}

fn parameter(place: &str, declaration: &Value, given: Option<&String>) -> Result<String, Error> {
    let mut members = Members::of(place, declaration)?;
    let default = members.text("Default")?;
    let value = given.cloned().or(default).ok_or_else(|| wrong(place, "The parameter needs a value"))?;
    let (min, max) = (members.number::<i64>("MinValue")?, members.number::<i64>("MaxValue")?);
    match members.required_text("Type")?.as_str() {
        "String" => {}
        "Number" => {
            let number: i64 =
                value.parse().map_err(|_| wrong(place, "The parameter must be a whole number"))?;
            if min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max) {
                return Err(wrong(place, "The parameter is out of its bounds"));
            }
        }
        _ => return Err(wrong(members.place("Type"), "The local stack knows only String and Number here")),
    }
    let allowed = members.list("AllowedValues")?;
    if !allowed.is_empty() && !allowed.iter().any(|allowed| scalar(allowed).as_ref() == Some(&value)) {
        return Err(wrong(place, "The parameter is not one of its allowed values"));
    }
    if let Some(pattern) = members.text("AllowedPattern")? {
        let whole = Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
            wrong(members.place("AllowedPattern"), "This is not a regular expression").caused_by(error)
        })?;
        if !whole.is_match(&value) {
            return Err(wrong(place, "The parameter does not match its pattern"));
        }
    }
    members.ignore(&["Description", "ConstraintDescription", "NoEcho"]);
    members.finish()?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(declaration: &Value, given: Option<&str>) -> Option<String> {
        let declared = json!({"P": declaration});
        let given = given.map(|given| ("P".to_owned(), given.to_owned())).into_iter().collect();
        read(declared.as_object().unwrap(), &given).ok()?.remove("P")
    }

    #[test]
    fn given_values_replace_defaults() {
        let declaration = json!({"Type": "Number", "Default": 5});
        assert_eq!(value(&declaration, None).as_deref(), Some("5"));
        assert_eq!(value(&declaration, Some("6")).as_deref(), Some("6"));
        assert_eq!(value(&json!({"Type": "String"}), None), None);
    }

    #[test]
    fn a_value_out_of_bounds_is_rejected() {
        let number = json!({"Type": "Number", "MinValue": 2, "MaxValue": 9});
        for wrong in ["1", "10", "two"] {
            assert_eq!(value(&number, Some(wrong)), None, "{wrong}");
        }
        let pattern = json!({"Type": "String", "AllowedPattern": "[a-z]+"});
        assert!(value(&pattern, Some("dev")).is_some());
        assert_eq!(value(&pattern, Some("dev1")), None);
        let choice = json!({"Type": "String", "AllowedValues": ["true", "false"]});
        assert!(value(&choice, Some("true")).is_some());
        assert_eq!(value(&choice, Some("maybe")), None);
    }

    #[test]
    fn unknown_parameters_and_unsupported_declarations_are_rejected() {
        let given = BTreeMap::from([("Q".to_owned(), String::new())]);
        assert!(read(&Map::new(), &given).is_err());
        assert_eq!(value(&json!({"Type": "List<String>", "Default": "a"}), None), None);
        assert_eq!(value(&json!({"Type": "String", "Default": "a", "MinLength": 1}), None), None);
    }
}
