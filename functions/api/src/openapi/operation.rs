//! The description of an operation: summary, parameters, body, answers and failures.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};
use stella::domain::shared::object_reader::ObjectReader;

use super::examples;
use super::shapes::{self, named};

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
            Self::Unauthenticated => "No valid API key, token or session.",
            Self::Forbidden => "The caller's role may not do this, or `X-CSRF-Token` is not the session's.",
            Self::NotFound => "The resource does not exist, or belongs to another tenant.",
            Self::Conflict(why) => why,
            Self::TooLarge => "The body is larger than 1 MiB.",
            Self::MediaType => "The body is not JSON by its `Content-Type`.",
            Self::Unprocessable => "The body has mistakes; `errors` lists each.",
            Self::Limited => "Too many requests; repeat after `Retry-After` seconds.",
            Self::Ours => "A failure of the service, without details. Repeat later.",
        }
    }
}

/// A function that makes a part of the document. It is called when the document is requested, so a cold start
/// does not pay for it.
pub(crate) type Json = fn() -> Value;

/// A function that makes the schema of a type.
type Shape = fn(&mut SchemaGenerator) -> Schema;

/// The body of an answer.
enum Returns {
    /// A type, as the member `data`.
    Data(Shape),
    /// A page of a type.
    Page(Shape),
    /// A type, as the whole body.
    Whole(Shape),
    /// No body.
    Nothing,
}

type Text = Cow<'static, str>;

/// A parameter that is not in the path.
struct Parameter {
    place: &'static str,
    name: &'static str,
    is_required: bool,
    schema: Json,
    description: &'static str,
}

/// An operation.
pub(crate) struct Operation {
    id: Text,
    summary: Text,
    description: Text,
    role: Option<&'static str>,
    parameters: Vec<Parameter>,
    body: Option<Box<dyn Fn() -> Value>>,
    noun: Option<Shape>,
    example: Option<Json>,
    answers: Vec<(u16, Returns)>,
    failures: Vec<Failure>,
}

/// A new operation.
pub(crate) fn operation(
    id: impl Into<Text>,
    summary: impl Into<Text>,
    description: impl Into<Text>,
) -> Operation {
    Operation {
        id: id.into(),
        summary: summary.into(),
        description: description.into(),
        role: None,
        parameters: Vec::new(),
        body: None,
        noun: None,
        example: None,
        answers: Vec::new(),
        failures: Vec::new(),
    }
}

impl Operation {
    /// The request's body has the members that `read` reads.
    pub(crate) fn takes<T>(mut self, read: impl Fn(&mut ObjectReader<'_>) -> Option<T> + 'static) -> Self {
        self.body = Some(Box::new(move || ObjectReader::schema_of(&read)));
        self
    }

    /// The members of the request's body have the descriptions of the members of `T`. Default: of the first
    /// type that is returned as `data`.
    pub(crate) fn described_by<T: JsonSchema>(mut self) -> Self {
        self.noun = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// Adds an example of the request's body.
    pub(crate) fn with_example(mut self, body: Json) -> Self {
        self.example = Some(body);
        self
    }

    /// Returns a type, as the member `data`.
    pub(crate) fn returns<T: JsonSchema>(self, status: u16) -> Self {
        self.answers_with(status, Returns::Data(SchemaGenerator::subschema_for::<T>))
    }

    /// Returns a page of a type.
    pub(crate) fn lists<T: JsonSchema>(self) -> Self {
        self.answers_with(200, Returns::Page(SchemaGenerator::subschema_for::<T>))
    }

    /// Returns a type, as the whole body.
    pub(crate) fn returns_bare<T: JsonSchema>(self, status: u16) -> Self {
        self.answers_with(status, Returns::Whole(SchemaGenerator::subschema_for::<T>))
    }

    /// Returns no body.
    pub(crate) fn returns_nothing(self, status: u16) -> Self {
        self.answers_with(status, Returns::Nothing)
    }

    fn answers_with(mut self, status: u16, returns: Returns) -> Self {
        self.answers.push((status, returns));
        self
    }

    /// Can fail with 409, for this reason.
    pub(crate) fn conflicts(mut self, why: &'static str) -> Self {
        self.fails(&[Failure::Conflict(why)]);
        self
    }

    /// As [`Self::conflicts`], if there is a reason.
    pub(crate) fn may_conflict(self, why: Option<&'static str>) -> Self {
        match why {
            Some(why) => self.conflicts(why),
            None => self,
        }
    }

    /// Adds a query parameter that selects rows.
    pub(crate) fn filtered_by(mut self, name: &'static str, schema: Json, description: &'static str) -> Self {
        self.query_parameter(name, schema, description);
        self
    }

    /// Adds the query parameters `from` and `to`, which select rows by time.
    pub(crate) fn within_a_period(self) -> Self {
        let from = self.filtered_by("from", time, "Only rows from this time on.");
        from.filtered_by("to", time, "Only rows up to this time.")
    }

    /// The request's body authenticates the caller.
    pub(crate) fn authenticates_by_body(mut self) -> Self {
        self.fails(&[Failure::Unauthenticated, Failure::Ours]);
        self
    }

    /// Sets the role that the caller needs.
    pub(crate) fn requires_role(&mut self, role: &'static str) {
        self.role = Some(role);
    }

    /// Adds ways to fail.
    pub(crate) fn fails(&mut self, failures: &[Failure]) {
        self.failures.extend(failures);
    }

    /// Adds a query parameter.
    pub(crate) fn query_parameter(&mut self, name: &'static str, schema: Json, description: &'static str) {
        self.parameters.push(Parameter { place: "query", name, is_required: false, schema, description });
    }

    /// Adds a required header.
    pub(crate) fn needs_header(&mut self, name: &'static str, description: &'static str) {
        self.parameters.push(Parameter {
            place: "header",
            name,
            is_required: true,
            schema: text,
            description,
        });
    }

    /// Adds the header `Idempotency-Key`: a repetition with the same value creates nothing.
    pub(crate) fn accepts_idempotency_key(&mut self) {
        self.parameters.push(Parameter {
            place: "header",
            name: "Idempotency-Key",
            is_required: false,
            schema: || json!({"type": "string", "minLength": 1, "maxLength": 255}),
            description:
                "Makes the request safe to repeat: for 24 hours a repetition creates nothing and gets the first answer.",
        });
        self.fails(&[
            Failure::Conflict(
                "`request_in_progress`: the first request with this `Idempotency-Key` is still running.",
            ),
            Failure::Conflict(
                "`secret_already_shown`: the first answer showed a secret, which is shown once.",
            ),
        ]);
    }

    /// The operation object of OpenAPI, for a tag and a path. `is_patch`: no member of the body is required.
    pub(crate) fn document(&self, tag: &str, path: &str, is_patch: bool) -> Value {
        let mut parameters: Vec<Value> = path_parameters(path);
        parameters.extend(self.parameters.iter().map(Parameter::document));
        let security: Vec<Value> = self.role.map(security).unwrap_or_default();
        let mut document = json!({"operationId": self.id, "summary": self.summary,
            "description": self.description, "tags": [tag],
            "parameters": parameters, "responses": self.responses(), "security": security});
        if let Some(body) = &self.body {
            let mut schema = body();
            shapes::explain(&mut schema, self.noun().as_ref());
            if is_patch {
                shapes::make_partial(&mut schema);
            }
            let is_needed = schema.get("required").is_some();
            let mut media = json!({"schema": schema});
            if let Some(example) = self.example {
                media["example"] = example();
            }
            document["requestBody"] = json!({"required": is_needed, "content": {"application/json": media}});
        }
        document
    }

    /// The schema whose members describe those of the request's body.
    fn noun(&self) -> Option<Value> {
        let data = |(_, returns): &(u16, Returns)| match returns {
            Returns::Data(shape) => Some(shapes::schema(*shape)),
            Returns::Page(_) | Returns::Whole(_) | Returns::Nothing => None,
        };
        self.noun.map(shapes::schema).or_else(|| self.answers.iter().find_map(data))
    }

    /// Adds the schemas of the types that it returns.
    pub(crate) fn collect(&self, generator: &mut SchemaGenerator) {
        for (_, returns) in &self.answers {
            if let Returns::Data(shape) | Returns::Page(shape) | Returns::Whole(shape) = returns {
                shape(generator);
            }
        }
    }

    fn responses(&self) -> BTreeMap<String, Value> {
        let answers = self.answers.iter().map(|(status, returns)| (status.to_string(), returns.document()));
        let mut responses: BTreeMap<String, Value> = answers.collect();
        for failure in &self.failures {
            let mut response = failure.document();
            let before = responses.get(failure.status()).and_then(|before| before["description"].as_str());
            if let (Failure::Conflict(why), Some(before)) = (failure, before) {
                response["description"] = json!(format!("{before} {why}"));
            }
            responses.insert(failure.status().to_owned(), response);
        }
        responses
    }
}

impl Returns {
    fn document(&self) -> Value {
        let schema = match self {
            Self::Nothing => return json!({"description": "Done."}),
            Self::Data(shape) => envelope(&[("data", shapes::schema(*shape))]),
            Self::Page(shape) => envelope(&[
                ("data", json!({"type": "array", "items": shapes::schema(*shape)})),
                ("pagination", named("Pagination")),
            ]),
            Self::Whole(shape) => shapes::schema(*shape),
        };
        let example = examples::of("", &schema);
        let media = json!({"schema": schema, "example": example});
        json!({"description": "Done.", "content": {"application/json": media}})
    }
}

/// A successful answer with these members.
fn envelope(members: &[(&str, Value)]) -> Value {
    let mut schema =
        json!({"type": "object", "properties": {"success": {"const": true}}, "required": ["success"]});
    for (name, member) in members {
        schema["properties"][name] = member.clone();
        if let Some(required) = schema["required"].as_array_mut() {
            required.push(json!(name));
        }
    }
    schema
}

impl Failure {
    fn document(self) -> Value {
        let mut response = json!({"description": self.description(),
            "content": {"application/problem+json": {"schema": named("Problem")}}});
        if matches!(self, Self::Limited | Self::Ours) {
            let seconds = json!({"schema": {"type": "integer", "minimum": 0}, "description": "Seconds."});
            response["headers"] = json!({"Retry-After": seconds});
        }
        response
    }
}

impl Parameter {
    fn document(&self) -> Value {
        let Self { place, name, is_required, schema, description } = self;
        let mut document = json!({"name": name, "in": place, "schema": schema(), "description": description});
        if *is_required {
            document["required"] = json!(true);
        }
        document
    }
}

/// The security requirements of a role. A session has every role; `session` itself accepts no key.
fn security(role: &str) -> Vec<Value> {
    let session = json!({"session": []});
    match role {
        "session" => vec![session],
        "operator" => vec![json!({"operatorKey": []}), session],
        role => vec![json!({"apiKey": [role]}), session],
    }
}

/// The schema of a string.
pub(crate) fn text() -> Value {
    json!({"type": "string"})
}

/// The schema of a time (RFC 3339).
pub(crate) fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

/// The parameters in a path, each of which is an id.
fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| json!({"name": name, "in": "path", "required": true, "schema": named("Id")})).collect()
}
