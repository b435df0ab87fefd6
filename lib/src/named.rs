//! Enums whose variants have names: on the wire, in stored rows, and in what a request may say.

/// Declares an enum whose variants are written by the names given here, once for `serde`, the JSON Schema,
/// `name()`, and the choices of [`ObjectReader::one_of`](crate::domain::shared::object_reader::ObjectReader::one_of).
macro_rules! named {
    (
        $(#[$meta:meta])*
        $vis:vis enum $type:ident {
            $($(#[$of_variant:meta])* $variant:ident = $name:literal,)*
        }
    ) => {
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        $(#[$meta])*
        $vis enum $type {
            $($(#[$of_variant])* #[serde(rename = $name)] $variant,)*
        }

        impl $type {
            /// Every value with its name.
            $vis const ALL: [(&'static str, Self); [$($name),*].len()] = [$(($name, Self::$variant)),*];

            /// Its name.
            #[must_use]
            $vis const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    named! {
        /// A shade.
        #[derive(PartialOrd, Ord, Default)]
        enum Shade {
            /// As at noon.
            Light = "light",
            /// As at night.
            #[default]
            VeryDark = "very.dark",
        }
    }

    #[test]
    fn a_value_has_the_same_name_everywhere() {
        assert_eq!(Shade::ALL, [("light", Shade::Light), ("very.dark", Shade::VeryDark)]);
        for (name, shade) in Shade::ALL {
            assert_eq!(shade.name(), name);
            assert_eq!(serde_json::to_value(shade).unwrap(), json!(name));
            assert_eq!(serde_json::from_value::<Shade>(json!(name)).unwrap(), shade);
        }
        assert!(serde_json::from_value::<Shade>(json!("Light")).is_err());
        assert!(Shade::Light < Shade::default());
    }
}
