//! Evaluates intrinsic functions and conditions.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use super::members::scalar;
use super::names::Names;
use super::wrong;
use crate::error::Error;

/// How deep conditions may refer to one another. Deeper references are taken for a cycle.
const MAX_DEPTH: usize = 16;

/// Everything that the expressions of a template can refer to.
pub(super) struct Scope<'a> {
    parameters: &'a BTreeMap<String, String>,
    mappings: &'a Map<String, Value>,
    conditions: &'a Map<String, Value>,
    /// The names of the resources.
    pub(super) names: Names,
}

impl<'a> Scope<'a> {
    /// A scope of these parameters, mappings, conditions and names.
    pub(super) fn new(
        parameters: &'a BTreeMap<String, String>,
        mappings: &'a Map<String, Value>,
        conditions: &'a Map<String, Value>,
        names: Names,
    ) -> Self {
        Self { parameters, mappings, conditions, names }
    }

    /// Evaluates a value. `None` for `AWS::NoValue`, which is also removed from lists and objects.
    pub(super) fn value(&self, place: &str, value: &Value) -> Result<Option<Value>, Error> {
        match value {
            Value::Array(entries) => {
                let mut list = Vec::with_capacity(entries.len());
                for (index, entry) in entries.iter().enumerate() {
                    list.extend(self.value(&format!("{place}[{index}]"), entry)?);
                }
                Ok(Some(Value::Array(list)))
            }
            Value::Object(members) => {
                if let Some((name, argument)) = function(place, members)? {
                    return self.call(place, name, argument);
                }
                let mut object = Map::new();
                for (name, member) in members {
                    if let Some(member) = self.value(&format!("{place}.{name}"), member)? {
                        object.insert(name.clone(), member);
                    }
                }
                Ok(Some(Value::Object(object)))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(Some(value.clone())),
        }
    }

    /// Evaluates a value that must be text.
    pub(super) fn text(&self, place: &str, value: &Value) -> Result<String, Error> {
        let value = self.value(place, value)?;
        value.as_ref().and_then(scalar).ok_or_else(|| wrong(place, "This must come to text"))
    }

    /// Whether the condition with this name holds.
    pub(super) fn condition(&self, place: &str, name: &str) -> Result<bool, Error> {
        self.named(place, name, 0)
    }

    fn call(&self, place: &str, name: &str, argument: &Value) -> Result<Option<Value>, Error> {
        let text = match name {
            "Ref" => match plain(place, argument)? {
                "AWS::NoValue" => return Ok(None),
                id => self.reference(place, id)?,
            },
            "Fn::GetAtt" => self.attribute(place, argument)?,
            "Fn::Sub" => self.substitute(place, argument)?,
            "Fn::Join" => self.join(place, argument)?,
            "Fn::If" => {
                let [condition, then, otherwise] = arguments(place, argument)?;
                let holds = self.condition(place, plain(place, condition)?)?;
                return self.value(place, if holds { then } else { otherwise });
            }
            "Fn::Select" => return self.select(place, argument).map(Some),
            "Fn::GetAZs" => return Ok(Some(json!(["us-east-1a", "us-east-1b"]))),
            "Fn::Cidr" => return self.cidr(place, argument).map(Some),
            "Fn::FindInMap" => return self.find_in_map(place, argument).map(Some),
            _ => return Err(wrong(place, format!("The local stack does not know {name} here"))),
        };
        Ok(Some(text.into()))
    }

    fn reference(&self, place: &str, id: &str) -> Result<String, Error> {
        let parameter = self.parameters.get(id).cloned();
        parameter
            .or_else(|| self.names.reference(id))
            .or_else(|| self.names.pseudo(id))
            .ok_or_else(|| wrong(place, format!("There is no {id} to refer to")))
    }

    fn attribute(&self, place: &str, argument: &Value) -> Result<String, Error> {
        let (id, attribute) = match argument {
            Value::String(path) => path.split_once('.').unwrap_or((path, "")),
            list => {
                let [id, attribute] = arguments(place, list)?;
                (plain(place, id)?, plain(place, attribute)?)
            }
        };
        self.named_attribute(place, id, attribute)
    }

    fn named_attribute(&self, place: &str, id: &str, attribute: &str) -> Result<String, Error> {
        self.names
            .attribute(id, attribute)
            .ok_or_else(|| wrong(place, format!("The local stack knows no attribute {attribute} of {id}")))
    }

    fn substitute(&self, place: &str, argument: &Value) -> Result<String, Error> {
        let nothing = Map::new();
        let (text, own) = match argument {
            Value::String(text) => (text.as_str(), &nothing),
            list => {
                let [text, own] = arguments(place, list)?;
                let own =
                    own.as_object().ok_or_else(|| wrong(place, "Sub's second argument is an object"))?;
                (plain(place, text)?, own)
            }
        };
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) =
                after.split_once('}').ok_or_else(|| wrong(place, "A ${ has no } in this text"))?;
            result.push_str(before);
            rest = after;
            if let Some(literal) = name.strip_prefix('!') {
                result.push_str("${");
                result.push_str(literal);
                result.push('}');
            } else if let Some(value) = own.get(name) {
                result.push_str(&self.text(place, value)?);
            } else if let Some((id, attribute)) = name.split_once('.') {
                result.push_str(&self.named_attribute(place, id, attribute)?);
            } else {
                result.push_str(&self.reference(place, name)?);
            }
        }
        result.push_str(rest);
        Ok(result)
    }

    fn join(&self, place: &str, argument: &Value) -> Result<String, Error> {
        let [delimiter, list] = arguments(place, argument)?;
        let parts: Result<Vec<String>, Error> =
            self.list(place, list)?.iter().map(|part| self.text(place, part)).collect();
        Ok(parts?.join(plain(place, delimiter)?))
    }

    fn select(&self, place: &str, argument: &Value) -> Result<Value, Error> {
        let [index, list] = arguments(place, argument)?;
        let index: Option<usize> = self.text(place, index)?.parse().ok();
        index
            .and_then(|index| self.list(place, list).map(|list| list.get(index).cloned()).transpose())
            .unwrap_or_else(|| Err(wrong(place, "The list has no such entry")))
    }

    /// `Fn::Cidr`: the first subnets of a range of addresses, each with this number of host bits.
    fn cidr(&self, place: &str, argument: &Value) -> Result<Value, Error> {
        let [range, count, bits] = arguments(place, argument)?;
        let range: Option<Ipv4Net> = self.text(place, range)?.parse().ok();
        let number = |value| self.text(place, value).map(|text| text.parse::<u8>().ok());
        let (count, bits) = (number(count)?, number(bits)?);
        let prefix = bits.and_then(|bits| 32_u8.checked_sub(bits));
        let parts = range.zip(prefix).and_then(|(range, prefix)| range.subnets(prefix).ok());
        let (parts, count) = parts.zip(count).ok_or_else(|| wrong(place, "This comes to no addresses"))?;
        Ok(parts.take(usize::from(count)).map(|part| Value::from(part.to_string())).collect())
    }

    fn list(&self, place: &str, value: &Value) -> Result<Vec<Value>, Error> {
        match self.value(place, value)? {
            Some(Value::Array(list)) => Ok(list),
            _ => Err(wrong(place, "This must come to a list")),
        }
    }

    fn find_in_map(&self, place: &str, argument: &Value) -> Result<Value, Error> {
        let [map, first, second] = arguments(place, argument)?;
        let (map, first, second) =
            (self.text(place, map)?, self.text(place, first)?, self.text(place, second)?);
        let found = self.mappings.get(&map).and_then(|map| map.get(&first)).and_then(|map| map.get(&second));
        found.cloned().ok_or_else(|| wrong(place, format!("There is no {map}.{first}.{second} to be found")))
    }

    fn named(&self, place: &str, name: &str, depth: usize) -> Result<bool, Error> {
        if depth >= MAX_DEPTH {
            return Err(wrong(place, "The conditions go in a circle"));
        }
        let expression =
            self.conditions.get(name).ok_or_else(|| wrong(place, format!("There is no condition {name}")))?;
        self.holds(&format!("Conditions.{name}"), expression, depth)
    }

    fn holds(&self, place: &str, expression: &Value, depth: usize) -> Result<bool, Error> {
        let members = expression.as_object().filter(|members| members.len() == 1);
        let Some((name, argument)) = members.and_then(|members| members.iter().next()) else {
            return Err(wrong(place, "A condition is one function"));
        };
        let each = || -> Result<Vec<bool>, Error> {
            let list = argument.as_array().ok_or_else(|| wrong(place, "This must be a list"))?;
            list.iter().map(|expression| self.holds(place, expression, depth)).collect()
        };
        match name.as_str() {
            "Condition" => self.named(place, plain(place, argument)?, depth.saturating_add(1)),
            "Fn::Equals" => {
                let [left, right] = arguments(place, argument)?;
                Ok(self.text(place, left)? == self.text(place, right)?)
            }
            "Fn::Not" => {
                let [expression] = arguments(place, argument)?;
                Ok(!self.holds(place, expression, depth)?)
            }
            "Fn::And" => Ok(each()?.into_iter().all(|holds| holds)),
            "Fn::Or" => Ok(each()?.into_iter().any(|holds| holds)),
            _ => Err(wrong(place, format!("The local stack does not know the condition {name}"))),
        }
    }
}

/// The function that an object calls, and its argument.
fn function<'a>(place: &str, members: &'a Map<String, Value>) -> Result<Option<(&'a str, &'a Value)>, Error> {
    let call = members.iter().find(|(name, _)| *name == "Ref" || name.starts_with("Fn::"));
    match call {
        Some(_) if members.len() > 1 => Err(wrong(place, "A function's call has nothing beside it")),
        Some((name, argument)) => Ok(Some((name, argument))),
        None => Ok(None),
    }
}

fn arguments<'a, const N: usize>(place: &str, argument: &'a Value) -> Result<&'a [Value; N], Error> {
    argument
        .as_array()
        .and_then(|list| list.as_slice().try_into().ok())
        .ok_or_else(|| wrong(place, format!("This function takes {N} arguments")))
}

fn plain<'a>(place: &str, value: &'a Value) -> Result<&'a str, Error> {
    value.as_str().ok_or_else(|| wrong(place, "This must be plain text"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::template::{Endpoints, Kind};

    /// Evaluates an expression in a template with a queue `Q`, the parameters `A` = 1 and `Stage` = dev, a
    /// map and some conditions.
    fn evaluate(expression: &Value) -> Result<Option<Value>, Error> {
        let parameters =
            BTreeMap::from([("A", "1"), ("Stage", "dev")].map(|(k, v)| (k.to_owned(), v.to_owned())));
        let mut names = Names::new(&parameters, &Endpoints { queues: "http://sqs".to_owned() });
        names.add("Q", Kind::Queue, None);
        let mappings = json!({"Sizes": {"dev": {"memory": 256}}});
        let conditions = json!({
            "Yes": {"Fn::Equals": [{"Ref": "A"}, 1]},
            "No": {"Fn::Not": [{"Condition": "Yes"}]},
            "Both": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "No"}]},
            "Either": {"Fn::Or": [{"Condition": "Yes"}, {"Condition": "No"}]},
            "Circle": {"Fn::Not": [{"Condition": "Circle"}]},
            "Odd": {"Fn::Contains": ["a", "b"]},
        });
        let scope =
            Scope::new(&parameters, mappings.as_object().unwrap(), conditions.as_object().unwrap(), names);
        scope.value("Here", expression)
    }

    fn value(expression: &Value) -> Value {
        evaluate(expression).unwrap().unwrap()
    }

    #[test]
    fn ref_evaluates_to_parameters_resources_and_pseudo_parameters() {
        assert_eq!(value(&json!({"Ref": "A"})), "1");
        assert_eq!(value(&json!({"Ref": "Q"})), "http://sqs/000000000000/dev-q");
        assert_eq!(value(&json!({"Ref": "AWS::Region"})), "us-east-1");
        assert!(evaluate(&json!({"Ref": "Z"})).is_err());
    }

    #[test]
    fn get_att_evaluates_to_attributes() {
        let arn = "arn:aws:sqs:us-east-1:000000000000:dev-q";
        assert_eq!(value(&json!({"Fn::GetAtt": ["Q", "Arn"]})), arn);
        assert_eq!(value(&json!({"Fn::GetAtt": "Q.Arn"})), arn);
        assert!(evaluate(&json!({"Fn::GetAtt": ["Q", "Colour"]})).is_err());
    }

    #[test]
    fn sub_replaces_names_attributes_and_its_own_variables() {
        assert_eq!(
            value(&json!({"Fn::Sub": "a-${A}-${Q.QueueName}-${!A}-${AWS::Partition}"})),
            "a-1-dev-q-${A}-aws"
        );
        assert_eq!(value(&json!({"Fn::Sub": ["${B}${A}", {"B": {"Ref": "Stage"}}]})), "dev1");
        assert!(evaluate(&json!({"Fn::Sub": "${Z}"})).is_err());
        assert!(evaluate(&json!({"Fn::Sub": "${A"})).is_err());
    }

    #[test]
    fn if_evaluates_to_the_branch_of_its_condition() {
        for (name, chosen) in [("Yes", 1), ("No", 2), ("Both", 2), ("Either", 1)] {
            assert_eq!(value(&json!({"Fn::If": [name, 1, 2]})), chosen, "{name}");
        }
        for name in ["Circle", "Odd", "Absent"] {
            assert!(evaluate(&json!({"Fn::If": [name, 1, 2]})).is_err(), "{name}");
        }
    }

    #[test]
    fn no_value_is_removed() {
        let nothing = json!({"Ref": "AWS::NoValue"});
        assert_eq!(evaluate(&nothing).unwrap(), None);
        assert_eq!(value(&json!({"a": 1, "b": nothing, "c": [nothing, 2]})), json!({"a": 1, "c": [2]}));
        assert_eq!(value(&json!({"a": {"Fn::If": ["No", 1, nothing]}})), json!({}));
    }

    #[test]
    fn join_select_and_find_in_map_are_evaluated() {
        assert_eq!(value(&json!({"Fn::Join": [",", ["a", {"Ref": "A"}, 2]]})), "a,1,2");
        assert_eq!(value(&json!({"Fn::Select": [{"Ref": "A"}, ["a", "b"]]})), "b");
        assert_eq!(value(&json!({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "memory"]})), 256);
        assert!(evaluate(&json!({"Fn::Select": ["2", ["a", "b"]]})).is_err());
        assert!(evaluate(&json!({"Fn::FindInMap": ["Sizes", "prod", "memory"]})).is_err());
        assert!(evaluate(&json!({"Fn::Join": [",", "a"]})).is_err());
    }

    #[test]
    fn an_unsupported_function_is_an_error_with_its_place() {
        let error = evaluate(&json!({"a": [{"Fn::ImportValue": "x"}]})).unwrap_err();
        assert_eq!(error.to_string(), "The local stack does not know Fn::ImportValue here (Here.a[0])");
        assert!(evaluate(&json!({"Fn::Sub": "a", "b": 1})).is_err());
        assert!(evaluate(&json!({"Fn::Equals": [1, 1]})).is_err());
    }

    #[test]
    fn the_condition_of_a_policy_is_not_evaluated() {
        let statement = json!({"Condition": {"StringLike": {"k": "v"}}});
        assert_eq!(value(&statement), statement);
    }
}
