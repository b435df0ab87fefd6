//! What an operation says of itself: in words, what it takes, what it gives, and how it fails.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stella::domain::fields::Fields;

use super::shapes;

/// How an operation can fail.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Failure {
    Invalid,
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict(&'static str),
    TooLarge,
    MediaType,
    Unprocessable,
    Limited,
    Ours,
}

impl Failure {
    fn status(self) -> &'static str {
        match self {
            Self::Invalid => "400",
            Self::Unauthenticated => "401",
            Self::Forbidden => "403",
            Self::NotFound => "404",
            Self::Conflict(_) => "409",
            Self::TooLarge => "413",
            Self::MediaType => "415",
            Self::Unprocessable => "422",
            Self::Limited => "429",
            Self::Ours => "5XX",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Invalid => "The request cannot be read.",
            Self::Unauthenticated => "No valid key.",
            Self::Forbidden => "The key's role may not do this.",
            Self::NotFound => "There is none, or it is another tenant's.",
            Self::Conflict(why) => why,
            Self::TooLarge => "The body has more than 1 MiB.",
            Self::MediaType => "The body is not said to be JSON.",
            Self::Unprocessable => "The body has mistakes; `errors` names every one.",
            Self::Limited => "Too many requests; come again after `Retry-After` seconds.",
            Self::Ours => "Our own failure; nothing of it is told. Come again.",
        }
    }
}

/// An operation.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    id: &'static str,
    summary: &'static str,
    role: Option<&'static str>,
    parameters: Vec<Value>,
    body: Option<Value>,
    example: Option<Value>,
    noun: Option<&'static str>,
    answers: BTreeMap<String, Value>,
}

/// An operation by its id, in a sentence.
pub(crate) fn says(id: &'static str, summary: &'static str) -> Operation {
    let (parameters, answers) = (Vec::new(), BTreeMap::new());
    Operation { id, summary, role: None, parameters, body: None, example: None, noun: None, answers }
}

impl Operation {
    /// Its body is what `read` reads.
    pub(crate) fn takes<T>(mut self, read: impl FnOnce(&mut Fields<'_>) -> Option<T>) -> Self {
        self.body = Some(Fields::schema_of(read));
        self
    }

    /// An example of its body.
    pub(crate) fn for_example(mut self, body: Value) -> Self {
        self.example = Some(body);
        self
    }

    /// It answers with one of these shapes as `data`.
    pub(crate) fn gives(mut self, status: u16, shape: &'static str) -> Self {
        self.noun.get_or_insert(shape);
        let schema = json!({"type": "object", "properties": {"success": {"const": true}, "data": shapes::named(shape)},
            "required": ["success", "data"]});
        self.gives_as_it_is(status, &schema)
    }

    /// It answers with a page of these shapes.
    pub(crate) fn lists(self, shape: &'static str) -> Self {
        let rows = json!({"type": "array", "items": shapes::named(shape)});
        let schema = json!({"type": "object", "properties": {"success": {"const": true}, "data": rows,
            "pagination": shapes::named("Pagination")}, "required": ["success", "data", "pagination"]});
        self.gives_as_it_is(200, &schema)
    }

    /// It answers with JSON of this schema.
    pub(crate) fn gives_as_it_is(mut self, status: u16, schema: &Value) -> Self {
        let answer = json!({"description": "Done.", "content": {"application/json": {"schema": schema}}});
        self.answers.insert(status.to_string(), answer);
        self
    }

    /// It answers without a body.
    pub(crate) fn gives_nothing(mut self, status: u16) -> Self {
        self.answers.insert(status.to_string(), json!({"description": "Done."}));
        self
    }

    /// It can conflict with what there is.
    pub(crate) fn conflicts(mut self, why: &'static str) -> Self {
        self.fails(&[Failure::Conflict(why)]);
        self
    }

    /// It can be asked for less, by this parameter.
    pub(crate) fn filtered_by(mut self, name: &'static str, schema: &Value, description: &str) -> Self {
        self.asks(name, schema, description);
        self
    }

    /// It can be asked for a span of time.
    pub(crate) fn within_a_span(self) -> Self {
        let time = json!({"type": "string", "format": "date-time"});
        let from = self.filtered_by("from", &time, "From this moment on.");
        from.filtered_by("to", &time, "Up to this moment.")
    }

    /// Who may call it.
    pub(crate) fn is_for(&mut self, role: &'static str) {
        self.role = Some(role);
    }

    /// How it can fail.
    pub(crate) fn fails(&mut self, failures: &[Failure]) {
        for failure in failures {
            let mut answer = json!({"description": failure.description(),
                "content": {"application/problem+json": {"schema": shapes::named("Problem")}}});
            if let (Failure::Limited | Failure::Ours, Some(words)) = (failure, answer.as_object_mut()) {
                let seconds = json!({"schema": {"type": "integer", "minimum": 0}, "description": "Seconds."});
                words.insert("headers".to_owned(), json!({"Retry-After": seconds}));
            }
            let before = self.answers.get(failure.status()).and_then(|answer| answer["description"].as_str());
            if let (Failure::Conflict(why), Some(before)) = (failure, before) {
                answer["description"] = json!(format!("{before} {why}"));
            }
            self.answers.insert(failure.status().to_owned(), answer);
        }
    }

    /// A parameter of its query.
    pub(crate) fn asks(&mut self, name: &str, schema: &Value, description: &str) {
        let parameter = json!({"name": name, "in": "query", "schema": schema, "description": description});
        self.parameters.push(parameter);
    }

    /// A header that it must have.
    pub(crate) fn needs_header(&mut self, name: &str, description: &str) {
        let schema = json!({"type": "string"});
        self.parameters.push(
            json!({"name": name, "in": "header", "required": true, "schema": schema, "description": description}),
        );
    }

    /// A repetition with the same `Idempotency-Key` makes nothing new.
    pub(crate) fn may_be_repeated(&mut self) {
        let description =
            "Honoured for 24 hours: a repetition makes nothing new and is answered as the first one was.";
        let schema = json!({"type": "string", "minLength": 1, "maxLength": 255});
        self.parameters.push(
            json!({"name": "Idempotency-Key", "in": "header", "schema": schema, "description": description}),
        );
        self.fails(&[
            Failure::Conflict(
                "`request_in_progress`: the first request with this `Idempotency-Key` still runs.",
            ),
            Failure::Conflict("`secret_already_shown`: its answer showed a secret, which is shown once."),
        ]);
    }

    /// The operation as OpenAPI has it, at a path by a method.
    pub(crate) fn document(&self, tag: &str, path: &str, is_patch: bool) -> Value {
        let mut parameters: Vec<Value> = path_parameters(path);
        parameters.extend(self.parameters.iter().cloned());
        let mut document = json!({"operationId": self.id, "summary": self.summary, "tags": [tag],
            "parameters": parameters, "responses": self.answers, "security": []});
        if let Some(role) = self.role {
            let scheme = if role == "operator" { "operatorKey" } else { "apiKey" };
            document["security"] = json!([{scheme: if role == "operator" { vec![] } else { vec![role] }}]);
        }
        if let Some(body) = &self.body {
            let mut schema = body.clone();
            shapes::explain(&mut schema, self.noun);
            if is_patch {
                shapes::make_partial(&mut schema);
            }
            let is_needed = schema.get("required").is_some();
            let mut media = json!({"schema": schema});
            if let Some(example) = &self.example {
                media["example"] = example.clone();
            }
            document["requestBody"] = json!({"required": is_needed, "content": {"application/json": media}});
        }
        document
    }
}

/// Every place in a path is an id.
fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": shapes::named("Id")}))
        .collect()
}
