//! JSON Schemas of types that are written as text. With the feature `schema` only; without it these macros
//! are empty.

/// A type that is written as an id.
macro_rules! id_schema {
    ($type:ty) => {
        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                "Id".into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "format": "uuid"})
            }
        }
    };
}

/// A type that is written as one of a closed list of names: `names_schema!(Type as "SchemaName", "What it
/// is.", names)`, where `names` gives the names.
macro_rules! names_schema {
    ($type:ty as $name:literal, $description:literal, $names:expr) => {
        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let names: Vec<String> = $names.into_iter().map(|name| name.to_string()).collect();
                schemars::json_schema!({"type": "string", "enum": names, "description": $description})
            }
        }
    };
}
