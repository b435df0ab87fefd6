//! What an operation says of itself: in words, what it takes, what it gives, and how it fails.

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

/// JSON of the document, made when the document is: a function that starts to serve needs none of it.
pub(crate) type Json = fn() -> Value;

/// Makes the schema of a type.
type Shape = fn(&mut SchemaGenerator) -> Schema;

/// What an operation answers with.
enum Gives {
    /// A type as `data`.
    Data(Shape),
    /// A page of a type.
    Page(Shape),
    /// A type that is all of the answer.
    Whole(Shape),
    /// No body.
    Nothing,
}

/// A parameter beside those of the path.
struct Parameter {
    place: &'static str,
    name: &'static str,
    is_required: bool,
    schema: Json,
    description: &'static str,
}

/// An operation.
pub(crate) struct Operation {
    id: &'static str,
    summary: &'static str,
    description: &'static str,
    role: Option<&'static str>,
    parameters: Vec<Parameter>,
    body: Option<Box<dyn Fn() -> Value>>,
    noun: Option<Shape>,
    example: Option<Json>,
    answers: Vec<(u16, Gives)>,
    failures: Vec<Failure>,
}

/// An operation by its id, with its summary and its description.
pub(crate) fn operation(id: &'static str, summary: &'static str, description: &'static str) -> Operation {
    Operation {
        id,
        summary,
        description,
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
    /// Its body is what `read` reads.
    pub(crate) fn takes<T>(mut self, read: impl Fn(&mut ObjectReader<'_>) -> Option<T> + 'static) -> Self {
        self.body = Some(Box::new(move || ObjectReader::schema_of(&read)));
        self
    }

    /// Members of its body mean what they mean in this type. Unless it is said: in the first that it answers with.
    pub(crate) fn explained_by<T: JsonSchema>(mut self) -> Self {
        self.noun = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// An example of its body.
    pub(crate) fn for_example(mut self, body: Json) -> Self {
        self.example = Some(body);
        self
    }

    /// It answers with a type as `data`.
    pub(crate) fn gives<T: JsonSchema>(self, status: u16) -> Self {
        self.answers_with(status, Gives::Data(SchemaGenerator::subschema_for::<T>))
    }

    /// It answers with a page of a type.
    pub(crate) fn lists<T: JsonSchema>(self) -> Self {
        self.answers_with(200, Gives::Page(SchemaGenerator::subschema_for::<T>))
    }

    /// It answers with a type that is all of the answer.
    pub(crate) fn gives_as_it_is<T: JsonSchema>(self, status: u16) -> Self {
        self.answers_with(status, Gives::Whole(SchemaGenerator::subschema_for::<T>))
    }

    /// It answers without a body.
    pub(crate) fn gives_nothing(self, status: u16) -> Self {
        self.answers_with(status, Gives::Nothing)
    }

    fn answers_with(mut self, status: u16, gives: Gives) -> Self {
        self.answers.push((status, gives));
        self
    }

    /// It can conflict with what there is.
    pub(crate) fn conflicts(mut self, why: &'static str) -> Self {
        self.fails(&[Failure::Conflict(why)]);
        self
    }

    /// It can be asked for less, by this parameter.
    pub(crate) fn filtered_by(mut self, name: &'static str, schema: Json, description: &'static str) -> Self {
        self.asks(name, schema, description);
        self
    }

    /// It can be asked for a span of time.
    pub(crate) fn within_a_span(self) -> Self {
        let from = self.filtered_by("from", time, "Only rows from this time on.");
        from.filtered_by("to", time, "Only rows up to this time.")
    }

    /// Its body proves who calls.
    pub(crate) fn proves_the_caller(mut self) -> Self {
        self.fails(&[Failure::Unauthenticated, Failure::Ours]);
        self
    }

    /// Who may call it.
    pub(crate) fn is_for(&mut self, role: &'static str) {
        self.role = Some(role);
    }

    /// How it can fail.
    pub(crate) fn fails(&mut self, failures: &[Failure]) {
        self.failures.extend(failures);
    }

    /// A parameter of its query.
    pub(crate) fn asks(&mut self, name: &'static str, schema: Json, description: &'static str) {
        self.parameters.push(Parameter { place: "query", name, is_required: false, schema, description });
    }

    /// A header that it must have.
    pub(crate) fn needs_header(&mut self, name: &'static str, description: &'static str) {
        self.parameters.push(Parameter {
            place: "header",
            name,
            is_required: true,
            schema: text,
            description,
        });
    }

    /// A repetition with the same `Idempotency-Key` makes nothing new.
    pub(crate) fn may_be_repeated(&mut self) {
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

    /// The operation as OpenAPI has it, at a path by a method.
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

    /// The schema of what it is about.
    fn noun(&self) -> Option<Value> {
        let data = |(_, gives): &(u16, Gives)| match gives {
            Gives::Data(shape) => Some(shapes::schema(*shape)),
            Gives::Page(_) | Gives::Whole(_) | Gives::Nothing => None,
        };
        self.noun.map(shapes::schema).or_else(|| self.answers.iter().find_map(data))
    }

    /// Adds the types that it answers with.
    pub(crate) fn collect(&self, generator: &mut SchemaGenerator) {
        for (_, gives) in &self.answers {
            if let Gives::Data(shape) | Gives::Page(shape) | Gives::Whole(shape) = gives {
                shape(generator);
            }
        }
    }

    fn responses(&self) -> BTreeMap<String, Value> {
        let answers = self.answers.iter().map(|(status, gives)| (status.to_string(), gives.document()));
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

impl Gives {
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

/// What may prove that one has a role; `session` is none but that one is signed in.
fn security(role: &str) -> Vec<Value> {
    let session = json!({"session": []});
    match role {
        "session" => vec![session],
        "operator" => vec![json!({"operatorKey": []}), session],
        role => vec![json!({"apiKey": [role]}), session],
    }
}

/// Any text.
pub(crate) fn text() -> Value {
    json!({"type": "string"})
}

/// An RFC 3339 time.
pub(crate) fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

/// Every place in a path is an id.
fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| json!({"name": name, "in": "path", "required": true, "schema": named("Id")})).collect()
}
