//! The OpenAPI document as an HTML page for people, without scripts and without files of other hosts.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::shapes;

const STYLE: &str = include_str!("page.css");

/// The page of a document.
pub(crate) fn page(document: &Value) -> String {
    let tags: Vec<Tag<'_>> = tags(document);
    let title = text(&document["info"], "title");
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                nav aria-label="Contents" {
                    @for tag in &tags {
                        h2 { a href=(format!("#{}", slug(tag.name))) { (tag.name) } }
                        ul { @for operation in &tag.operations {
                            li { a href=(format!("#{}", operation.id())) {
                                span class="method" { (operation.method) } " " (operation.short_path())
                            } }
                        } }
                    }
                    h2 { a href="#shapes" { "Shapes" } }
                }
                main {
                    h1 { (title) " " small { (text(&document["info"], "version")) } }
                    p { (text(&document["info"], "description")) }
                    p { "The same for programs: " a href="/openapi.json" { "openapi.json" } "." }
                    h2 { "Callers" }
                    dl { @for (name, scheme) in members(&document["components"]["securitySchemes"]) {
                        dt { (name) } dd { (words(text(scheme, "description"))) }
                    } }
                    @for tag in &tags { (section(tag)) }
                    h2 id="shapes" { "Shapes" }
                    @for (name, schema) in members(&document["components"]["schemas"]) { (shape(name, schema)) }
                }
            }
        }
    }
    .into_string()
}

struct Tag<'a> {
    name: &'a str,
    description: &'a str,
    operations: Vec<Operation<'a>>,
}

struct Operation<'a> {
    method: String,
    path: &'a str,
    common: &'a Value,
    object: &'a Value,
}

impl Operation<'_> {
    fn id(&self) -> &str {
        text(self.object, "operationId")
    }

    fn short_path(&self) -> &str {
        self.path.strip_prefix("/api/v1").unwrap_or(self.path)
    }

    fn parameters(&self) -> impl Iterator<Item = &Value> {
        entries(self.common).chain(entries(&self.object["parameters"]))
    }
}

fn tags(document: &Value) -> Vec<Tag<'_>> {
    let places = members(&document["paths"]).chain(members(&document["webhooks"]));
    let all: Vec<(&String, &Value)> = places.collect();
    let of = |tag: &str| {
        let operations = all.iter().flat_map(|(path, methods)| {
            members(methods).filter(|(method, _)| *method != "parameters").map(move |(method, operation)| {
                Operation {
                    method: method.to_ascii_uppercase(),
                    path: path.as_str(),
                    common: &methods["parameters"],
                    object: operation,
                }
            })
        });
        operations.filter(|operation| entries(&operation.object["tags"]).any(|name| name == tag)).collect()
    };
    entries(&document["tags"])
        .map(|tag| {
            let name = text(tag, "name");
            Tag { name, description: text(tag, "description"), operations: of(name) }
        })
        .collect()
}

fn section(tag: &Tag<'_>) -> Markup {
    html! {
        h2 id=(slug(tag.name)) { (tag.name) }
        p { (words(tag.description)) }
        @for operation in &tag.operations {
            section id=(operation.id()) {
                h3 { span class="method" { (operation.method) } " " code { (operation.path) } }
                p { strong { (words(text(operation.object, "summary"))) } " " (caller(operation.object)) }
                p { (words(text(operation.object, "description"))) }
                @if operation.parameters().next().is_some() {
                    table {
                        caption { "Parameters" }
                        @for parameter in operation.parameters() {
                            tr {
                                th scope="row" { code { (text(parameter, "name")) } }
                                td { (text(parameter, "in")) ", " (kind(&parameter["schema"])) }
                                td { (words(text(parameter, "description"))) }
                            }
                        }
                    }
                }
                @if let Some(schema) = body(&operation.object["requestBody"]) {
                    table { caption { "Body" } (rows("", schema)) }
                }
                @if let Some(example) = operation.object["requestBody"].pointer("/content/application~1json/example") {
                    details { summary { "For example" } pre { (format!("{example:#}")) } }
                }
                table {
                    caption { "Answers" }
                    @for (status, answer) in members(&operation.object["responses"]) {
                        tr {
                            th scope="row" { code { (status) } }
                            td { (answered(answer)) }
                            td { (words(text(answer, "description"))) }
                        }
                    }
                }
            }
        }
    }
}

fn caller(operation: &Value) -> Markup {
    let scheme = entries(&operation["security"]).find_map(|scheme| members(scheme).next());
    let role = scheme.map(|(name, roles)| entries(roles).find_map(Value::as_str).unwrap_or(name));
    html! { @if let Some(role) = role { em { "Key: " (role) } } }
}

fn body(content: &Value) -> Option<&Value> {
    let (_, media) = members(&content["content"]).next()?;
    media.get("schema").filter(|schema| *schema != &serde_json::json!({}))
}

/// The content of an answer: the schema of `data`, or else of the whole body.
fn answered(answer: &Value) -> Markup {
    let Some(schema) = body(answer) else { return html! {} };
    let data = &schema["properties"]["data"];
    kind(if data.is_null() { schema } else { data })
}

/// The members of an object. Members of nested objects are listed by their paths.
fn rows(prefix: &str, schema: &Value) -> Markup {
    let required: Vec<&str> = entries(&schema["required"]).filter_map(Value::as_str).collect();
    html! {
        @for (name, member) in members(&schema["properties"]) {
            tr {
                th scope="row" { code { (prefix) (name) } @if required.contains(&name.as_str()) { " " abbr title="required" { "*" } } }
                td { (kind(member)) }
                td { (words(text(member, "description"))) }
            }
            @if member.get("properties").is_some() { (rows(&format!("{prefix}{name}."), member)) }
            @if member["items"].get("properties").is_some() { (rows(&format!("{prefix}{name}[]."), &member["items"])) }
            @for one in choices(member) {
                @if one.get("properties").is_some() { (rows(&format!("{prefix}{name}."), one)) }
            }
        }
    }
}

fn shape(name: &str, schema: &Value) -> Markup {
    html! {
        section id=(format!("shape-{name}")) {
            h3 { (name) }
            p { (words(text(schema, "description"))) }
            @if schema.get("properties").is_some() { table { (rows("", schema)) } } @else { p { (kind(schema)) } }
        }
    }
}

/// The type of a value, in a few words. A named schema is a link.
fn kind(schema: &Value) -> Markup {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        let format = shapes::resolved(schema)["format"].as_str();
        return html! { @if let Some(format) = format { (format) } @else { a href=(format!("#shape-{name}")) { (name) } } };
    }
    let several: Vec<&Value> = choices(schema).collect();
    if !several.is_empty() {
        return html! { @for (at, one) in several.into_iter().enumerate() { @if at > 0 { " or " } (kind(one)) } };
    }
    if let Some(value) = schema.get("const") {
        return html! { code { (value) } };
    }
    if let Some(names) = schema.get("enum") {
        let names = entries(names).filter(|name| !name.is_null());
        return html! { @for (at, name) in names.enumerate() { @if at > 0 { ", " } code { (name.as_str().unwrap_or_default()) } } };
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        list => entries(list).filter_map(Value::as_str).filter(|name| *name != "null").collect(),
    };
    let kind_of_type = match (types.first(), schema.get("items")) {
        (Some(&"array"), Some(items)) => html! { "list of " (kind(items)) },
        (Some(name), _) => html! { (schema["format"].as_str().unwrap_or(name)) },
        (None, _) => html! { "any JSON" },
    };
    html! { (kind_of_type) (bounds(schema)) }
}

fn bounds(schema: &Value) -> Markup {
    let number = |name: &str| schema.get(name).and_then(Value::as_u64);
    html! {
        @match (number("minimum"), number("maximum")) {
            (Some(least), Some(most)) => { " " (least) "–" (most) }
            (Some(least), None) if least > 0 => { " from " (least) }
            _ => {}
        }
        @if let Some(most) = number("maxLength") { ", at most " (most) " characters" }
        @if let Some(most) = number("maxItems") { ", at most " (most) }
        @if let Some(default) = schema.get("default") { ", default " code { (default) } }
    }
}

/// A text, with `code` in backticks set as code.
fn words(text: &str) -> Markup {
    html! { @for (at, part) in text.split('`').enumerate() { @if at % 2 == 1 { code { (part) } } @else { (part) } } }
}

fn choices(schema: &Value) -> impl Iterator<Item = &Value> {
    let null = |one: &&Value| one["type"] != "null";
    entries(&schema["oneOf"]).chain(entries(&schema["anyOf"])).filter(null)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn entries(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

fn slug(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}
