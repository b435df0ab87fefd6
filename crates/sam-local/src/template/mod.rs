//! Reads a SAM template, strictly.
//!
//! Each property of each resource is read, or ignored because it has no effect on one machine (alarms,
//! backups, memory sizes), or an error that names its place in the template. Nothing is ignored by accident.

mod functions;
mod intrinsics;
mod members;
pub(crate) mod names;
mod parameters;
mod resources;
mod yaml;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use self::names::Kind;
use crate::error::{Error, ErrorKind};

use self::intrinsics::Scope;
use self::members::Members;
use self::names::Names;
use crate::wiring::Wiring;

/// The endpoints of the services.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// The URL of SQS, from which the URLs of queues are made.
    pub queues: String,
}

/// A resource of the template, with every intrinsic function evaluated.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its kind.
    pub kind: Kind,
    /// Its physical name: the one in the template, or `<Stage>-<logical-id>`, as in `dev-core-table`, with
    /// the value of the parameter `Stage` if there is one.
    pub name: String,
    /// Its properties; for a function including those of `Globals`.
    pub properties: Value,
    /// Its `DeletionPolicy`.
    pub deletion_policy: Option<String>,
    /// Its `UpdateReplacePolicy`.
    pub update_replace_policy: Option<String>,
}

/// Reads a template, with these parameters and the template's defaults for the others.
///
/// # Errors
/// [`InvalidTemplate`](ErrorKind::InvalidTemplate) for everything that is not supported. The error's
/// [`subject`](Error::subject) is the place, as in `Resources.Queue.Properties.FifoQueue`.
pub fn read(
    text: &str,
    parameters: &BTreeMap<String, String>,
    endpoints: &Endpoints,
) -> Result<Wiring, Error> {
    let all = resolve(text, parameters, endpoints)?;
    let mut wiring = Wiring::default();
    let mut uris = BTreeMap::new();
    for (id, resource) in &all {
        let place = format!("Resources.{id}.Properties");
        match resource.kind {
            Kind::Table => {
                let table = resources::table(&place, resource)?;
                if let Some(attribute) = table.expires_by {
                    wiring.expiring.insert(resource.name.clone(), attribute);
                }
                wiring.tables.push(table.body);
            }
            Kind::Queue => wiring.queues.push(resources::queue(&place, resource, &all)?),
            Kind::Secret => wiring.secrets.push(resources::secret(&place, resource)?),
            Kind::Function => {
                let function = functions::function(id, resource, &all)?;
                let uri = resource.properties.get("CodeUri");
                if uris.insert(function.code.clone(), uri).is_some_and(|other| other != uri) {
                    return Err(wrong(format!("{place}.CodeUri"), "Another folder has the same name"));
                }
                wiring.functions.push(function);
            }
            Kind::HttpApi => resources::http_api(&place, resource)?,
            Kind::LogGroup | Kind::Alarm | Kind::Dashboard | Kind::Network => {}
        }
    }
    wiring.queues.sort_by_key(|queue| queue.attributes.contains_key("RedrivePolicy"));
    Ok(wiring)
}

/// The resources of a template by logical id, with these parameters and the template's defaults for the
/// others. Their properties are evaluated, and not checked.
///
/// # Errors
/// [`InvalidTemplate`](ErrorKind::InvalidTemplate) for resource types, sections and functions that are not
/// supported.
pub fn resolve(
    text: &str,
    parameters: &BTreeMap<String, String>,
    endpoints: &Endpoints,
) -> Result<BTreeMap<String, Resource>, Error> {
    let template = yaml::parse(text)?;
    let mut sections = Members::of("", &template)?;
    sections.ignore(&["AWSTemplateFormatVersion", "Description", "Metadata", "Rules"]);
    if let Some(transform) = sections.text("Transform")?
        && transform != "AWS::Serverless-2016-10-31"
    {
        return Err(wrong("Transform", "The local stack knows SAM's transform only"));
    }
    let parameters = parameters::read(sections.map("Parameters")?, parameters)?;
    let mappings = sections.map("Mappings")?;
    let conditions = sections.map("Conditions")?;
    let declared = sections.map("Resources")?;
    let globals = sections.map("Globals")?;
    let outputs = sections.map("Outputs")?;
    sections.finish()?;

    let names = Names::new(&parameters, endpoints);
    let mut scope = Scope::new(&parameters, mappings, conditions, names);
    let mut kept = Vec::new();
    for (id, resource) in declared {
        let declaration = Declaration::read(id, resource)?;
        if let Some(condition) = &declaration.condition
            && !scope.condition(&format!("Resources.{id}.Condition"), condition)?
        {
            continue;
        }
        let explicit = declaration.explicit_name(id, &scope)?;
        scope.names.add(id, declaration.kind, explicit);
        kept.push((id, declaration));
    }

    let globals = global_properties(globals, &scope)?;
    let mut resources = BTreeMap::new();
    for (id, declaration) in kept {
        resources.insert(id.clone(), declaration.resolve(id, &scope, &globals)?);
    }
    for (name, output) in outputs {
        let condition = output.get("Condition").and_then(Value::as_str);
        if let Some(condition) = condition
            && !scope.condition(&format!("Outputs.{name}.Condition"), condition)?
        {
            continue;
        }
        scope.value(&format!("Outputs.{name}"), output)?;
    }
    Ok(resources)
}

/// A resource as it is declared.
struct Declaration<'a> {
    kind: Kind,
    properties: Option<&'a Value>,
    condition: Option<String>,
    deletion_policy: Option<String>,
    update_replace_policy: Option<String>,
}

impl<'a> Declaration<'a> {
    fn read(id: &str, value: &'a Value) -> Result<Self, Error> {
        let mut members = Members::of(&format!("Resources.{id}"), value)?;
        let kind = members.required_text("Type")?;
        let kind = Kind::of(&kind).ok_or_else(|| {
            wrong(format!("Resources.{id}.Type"), format!("The local stack does not know the type {kind}"))
        })?;
        let declaration = Self {
            kind,
            properties: members.take("Properties"),
            condition: members.text("Condition")?,
            deletion_policy: members.text("DeletionPolicy")?,
            update_replace_policy: members.text("UpdateReplacePolicy")?,
        };
        members.ignore(&["DependsOn", "Metadata"]);
        members.finish()?;
        Ok(declaration)
    }

    fn explicit_name(&self, id: &str, scope: &Scope<'_>) -> Result<Option<String>, Error> {
        let property = self.kind.name_property();
        let given = self.properties.and_then(|properties| properties.get(property));
        given.map(|name| scope.text(&format!("Resources.{id}.Properties.{property}"), name)).transpose()
    }

    fn resolve(self, id: &str, scope: &Scope<'_>, globals: &Value) -> Result<Resource, Error> {
        let place = format!("Resources.{id}.Properties");
        let own = self.properties.map(|properties| scope.value(&place, properties)).transpose()?.flatten();
        let own = own.unwrap_or_else(|| Value::Object(Map::new()));
        Ok(Resource {
            kind: self.kind,
            name: scope.names.name(id).unwrap_or_default().to_owned(),
            properties: if self.kind == Kind::Function { merged(globals.clone(), own) } else { own },
            deletion_policy: self.deletion_policy,
            update_replace_policy: self.update_replace_policy,
        })
    }
}

fn global_properties(globals: &Map<String, Value>, scope: &Scope<'_>) -> Result<Value, Error> {
    if let Some(other) = globals.keys().find(|name| *name != "Function") {
        return Err(wrong(format!("Globals.{other}"), "The local stack knows globals of functions only"));
    }
    let functions = globals.get("Function").map(|globals| scope.value("Globals.Function", globals));
    Ok(functions.transpose()?.flatten().unwrap_or_else(|| Value::Object(Map::new())))
}

/// Merges a function's own properties into those of `Globals`, as SAM does: maps are merged, lists are
/// concatenated, everything else is replaced.
fn merged(global: Value, own: Value) -> Value {
    match (global, own) {
        (Value::Object(mut members), Value::Object(over)) => {
            for (name, value) in over {
                let below = members.remove(&name);
                members
                    .insert(name, below.map_or_else(|| value.clone(), |below| merged(below, value.clone())));
            }
            Value::Object(members)
        }
        (Value::Array(mut entries), Value::Array(more)) => {
            entries.extend(more);
            Value::Array(entries)
        }
        (_, own) => own,
    }
}

/// An error in the template, and its place.
fn wrong(place: impl Into<String>, what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidTemplate, what).about(place)
}

#[cfg(test)]
mod tests;
