//! The body of a request that creates or changes a resource: `--file`, overridden by `--set`, overridden by the
//! resource's own options. So a new member of a resource can be set without a new option.

use std::io::Read as _;

use clap::Args;
use serde_json::{Map, Value};

use crate::failure::Failure;

/// The options that every body takes.
#[derive(Debug, Args)]
pub(crate) struct BodyOptions {
    /// Any member, for example retryPolicy.maxRetries=5, as JSON or a plain string; repeatable
    #[arg(long = "set", value_name = "PATH=JSON", value_parser = Assignment::parse)]
    assignments: Vec<Assignment>,
    /// JSON file with the members, or - for standard input; the other options override it
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
}

/// The value of a `--set`.
#[derive(Debug, Clone, PartialEq)]
struct Assignment {
    path: String,
    value: Value,
}

/// The members of a body.
#[derive(Debug)]
pub(crate) struct Body(Map<String, Value>);

impl BodyOptions {
    /// The body that `--file` and `--set` make.
    ///
    /// # Errors
    /// `Usage` if the file cannot be read or is not a JSON object, or if a path leads into a value that is not an
    /// object.
    pub(crate) fn read(&self) -> Result<Body, Failure> {
        let mut members = self.file.as_deref().map(read_file).transpose()?.unwrap_or_default();
        for assignment in &self.assignments {
            assignment.apply(&mut members).map_err(|error| {
                Failure::Usage(format!("invalid value for `--set {}=…`: {error}", assignment.path))
            })?;
        }
        Ok(Body(members))
    }
}

impl Assignment {
    fn parse(text: &str) -> Result<Self, String> {
        let (path, value) = text.split_once('=').ok_or("expected PATH=JSON, for example timeout=5000")?;
        if path.split('.').any(str::is_empty) {
            return Err("the path has an empty part".to_owned());
        }
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        Ok(Self { path: path.to_owned(), value })
    }

    /// Sets the value. Objects on the way to it that do not exist are created.
    fn apply(&self, members: &mut Map<String, Value>) -> Result<(), String> {
        let (parents, name) = match self.path.rsplit_once('.') {
            Some((parents, name)) => (Some(parents), name),
            None => (None, self.path.as_str()),
        };
        let mut parent = members;
        for part in parents.into_iter().flat_map(|parents| parents.split('.')) {
            let child = parent.entry(part).or_insert_with(|| Value::Object(Map::new()));
            parent = child.as_object_mut().ok_or_else(|| format!("{part} is not an object"))?;
        }
        parent.insert(name.to_owned(), self.value.clone());
        Ok(())
    }
}

impl Body {
    /// Overrides a member by the value of its option, if that is given.
    pub(crate) fn with(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    /// As [`Self::with`], for an option with several values: none means that it is not given.
    pub(crate) fn with_all(self, name: &str, values: &[String]) -> Self {
        self.with(name, (!values.is_empty()).then(|| values.to_vec()))
    }

    /// The body of a new resource, which needs these members: each is named with its option.
    ///
    /// # Errors
    /// `Usage` with every option that is missing.
    pub(crate) fn requiring(self, required: &[(&str, &str)]) -> Result<Value, Failure> {
        let missing = required.iter().filter(|(name, _)| !self.0.contains_key(*name));
        let missing: Vec<_> =
            missing.map(|(name, option)| format!("`{option}` (or `--set {name}=…`)")).collect();
        if missing.is_empty() {
            return Ok(self.0.into());
        }
        Err(Failure::Usage(format!("missing {}", missing.join(", "))))
    }

    /// The changed members of a resource.
    ///
    /// # Errors
    /// `Usage` if there are none.
    pub(crate) fn changes(self) -> Result<Value, Failure> {
        if self.0.is_empty() {
            return Err(Failure::Usage(
                "nothing to change: give `--set`, `--file` or another option".to_owned(),
            ));
        }
        Ok(self.0.into())
    }
}

fn read_file(file: &str) -> Result<Map<String, Value>, Failure> {
    let invalid = |error: String| Failure::Usage(format!("invalid value for `--file {file}`: {error}"));
    let text = if file == "-" {
        let mut input = String::new();
        std::io::stdin().read_to_string(&mut input).map(|_| input)
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.map_err(|error| invalid(error.to_string()))?;
    match serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))? {
        Value::Object(members) => Ok(members),
        _ => Err(invalid("it is not a JSON object".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn options(file: Option<&str>, assignments: &[&str]) -> BodyOptions {
        let assignments = assignments.iter().map(|text| Assignment::parse(text).unwrap()).collect();
        BodyOptions { assignments, file: file.map(str::to_owned) }
    }

    fn body(assignments: &[&str]) -> Result<Value, String> {
        let read = options(None, assignments).read().and_then(Body::changes);
        read.map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_value_is_json_or_else_a_plain_string() {
        assert_eq!(
            body(&["timeout=5000", "enabled=false", "tagPattern=v*", "name=\"12\"", "filters=[]", "url=a=b"]),
            Ok(json!({"timeout": 5000, "enabled": false, "tagPattern": "v*", "name": "12", "filters": [],
                "url": "a=b"}))
        );
        assert_eq!(body(&["credentialRef=null", "name="]), Ok(json!({"credentialRef": null, "name": ""})));
    }

    #[test]
    fn a_path_with_dots_leads_into_objects_and_the_last_value_of_a_path_counts() {
        assert_eq!(
            body(&["retryPolicy.maxRetries=5", "retryPolicy.backoffType=fixed", "retryPolicy.maxRetries=6"]),
            Ok(json!({"retryPolicy": {"maxRetries": 6, "backoffType": "fixed"}}))
        );
        assert_eq!(
            body(&["headers={\"X-A\":\"1\"}", "headers.X-B=2"]),
            Ok(json!({"headers": {"X-A": "1", "X-B": 2}}))
        );
    }

    #[test]
    fn an_error_names_the_option() {
        assert_eq!(
            body(&["filters=[]", "filters.field=tag"]),
            Err("invalid value for `--set filters.field=…`: filters is not an object".to_owned())
        );
        for (text, error) in
            [("timeout", "expected PATH=JSON"), ("=1", "empty part"), ("a..b=1", "empty part")]
        {
            assert!(Assignment::parse(text).unwrap_err().contains(error), "{text}");
        }
        assert!(
            options(Some("/nowhere.json"), &[])
                .read()
                .unwrap_err()
                .to_string()
                .contains("`--file /nowhere.json`")
        );
        assert_eq!(
            options(None, &["url=pull:"])
                .read()
                .unwrap()
                .requiring(&[("name", "--name"), ("url", "--to")])
                .unwrap_err()
                .to_string(),
            "missing `--name` (or `--set name=…`)"
        );
        assert!(body(&[]).unwrap_err().contains("nothing to change"));
    }

    #[test]
    fn options_override_set_and_set_overrides_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("subscription.json");
        let stored =
            json!({"name": "file", "timeout": 1000, "retryPolicy": {"maxRetries": 1, "backoffSeconds": 5}});
        std::fs::write(&file, stored.to_string()).unwrap();
        let options = options(file.to_str(), &["name=set", "timeout=2000", "retryPolicy.maxRetries=2"]);
        let body = options
            .read()
            .unwrap()
            .with("name", Some("option"))
            .with("url", None::<String>)
            .with_all("events", &[]);
        assert_eq!(
            body.changes().unwrap(),
            json!({"name": "option", "timeout": 2000, "retryPolicy": {"maxRetries": 2, "backoffSeconds": 5}})
        );
        std::fs::write(&file, "[]").unwrap();
        assert!(options.read().unwrap_err().to_string().ends_with("it is not a JSON object"));
    }
}
