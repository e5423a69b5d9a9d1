//! Schemas of what users write: JSON Schema, in the part of it that Kubernetes takes for a CRD.
//!
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>

use serde_json::{Map, Value, json};

use crate::read::ReadFields;

/// The schema of a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Schema(Map<String, Value>);

/// The schema of an object, while its fields are told.
#[derive(Debug, Default)]
pub(crate) struct ObjectSchema {
    properties: Map<String, Value>,
    required: Vec<Value>,
    /// Names that exclude each other.
    exclusive: Vec<Vec<&'static str>>,
    /// Of which one has to be there.
    needed: Vec<Vec<&'static str>>,
}

impl Schema {
    /// A value of one of JSON's types.
    pub(crate) fn of_type(name: &str) -> Self {
        Self::from(json!({ "type": name }))
    }

    pub(crate) fn integer() -> Self {
        Self::of_type("integer")
    }

    /// A number of 64 bits, which protobuf's JSON writes as a text.
    pub(crate) fn long() -> Self {
        Self::from(json!({
            "x-kubernetes-int-or-string": true,
            "anyOf": [{ "type": "integer" }, { "type": "string" }],
            "pattern": "^-?[0-9]+$",
        }))
    }

    /// Any value.
    pub(crate) fn any() -> Self {
        Self::from(json!({ "x-kubernetes-preserve-unknown-fields": true }))
    }

    /// An object whose fields are not Tenon's to know.
    pub(crate) fn open_object() -> Self {
        Self::from(json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true }))
    }

    #[allow(
        dead_code,
        reason = "derived for empty messages, of which the resources have none yet"
    )]
    pub(crate) fn empty_object() -> Self {
        Self::of_type("object")
    }

    pub(crate) fn list(of: Self) -> Self {
        Self::from(json!({ "type": "array", "items": of.0 }))
    }

    pub(crate) fn map(of: Self) -> Self {
        Self::from(json!({ "type": "object", "additionalProperties": of.0 }))
    }

    /// One of several names, each with what it means. Protobuf's JSON takes their numbers as well.
    pub(crate) fn choice(doc: &str, names: &[(&str, &str)]) -> Self {
        let meanings = names
            .iter()
            .map(|(name, doc)| format!("- {name}: {}", doc.replace('\n', " ")));
        let meanings: Vec<_> = meanings.collect();
        let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        Self::from(json!({ "type": "string", "enum": names }))
            .described(&format!("{doc}\n{}", meanings.join("\n")))
    }

    /// Numbers from the least to the most.
    pub(crate) fn bounded(mut self, least: f64, most: f64) -> Self {
        for (name, bound) in [("minimum", least), ("maximum", most)] {
            let whole = bound as i64;
            let bound = match whole as f64 == bound {
                true => json!(whole),
                false => json!(bound),
            };
            self.0.insert(name.to_owned(), bound);
        }
        self
    }

    /// With a description, unless it has one that says more.
    pub(crate) fn described(mut self, doc: &str) -> Self {
        let there = self.0.get("description").and_then(Value::as_str);
        let text = match (doc, there) {
            ("", _) => return self,
            (doc, Some(there)) if there.contains("\n- ") => {
                format!("{doc}\n{}", there.trim_start())
            }
            (doc, _) => doc.to_owned(),
        };
        self.0.insert("description".to_owned(), text.into());
        self
    }

    /// As JSON.
    pub(crate) fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    fn from(value: Value) -> Self {
        match value {
            Value::Object(fields) => Self(fields),
            _ => Self(Map::new()),
        }
    }
}

impl ObjectSchema {
    pub(crate) fn of<T: ReadFields>(doc: &str) -> Schema {
        let mut object = Self::default();
        T::describe(&mut object);
        object.finish().described(doc)
    }

    /// Whether a type has a field of that name.
    pub(crate) fn has<T: ReadFields>(name: &str) -> bool {
        let mut object = Self::default();
        T::describe(&mut object);
        object.properties.contains_key(name)
    }

    pub(crate) fn field(&mut self, name: &str, doc: &str, schema: Schema, required: bool) {
        let schema = schema.described(doc);
        self.properties.insert(name.to_owned(), schema.into_value());
        if required {
            self.required.push(name.into());
        }
    }

    /// Fields of another type that stand beside these.
    pub(crate) fn flatten<T: ReadFields>(&mut self, required: bool) {
        let before = self.exclusive.len();
        T::describe(self);
        if required {
            self.needed.extend(self.exclusive.drain(before..));
        }
    }

    /// Fields of which at most one may be there.
    pub(crate) fn one_of(&mut self, names: &'static [&'static str]) {
        self.exclusive.push(names.to_vec());
    }

    fn finish(self) -> Schema {
        let mut schema = json!({ "type": "object", "properties": self.properties });
        if !self.required.is_empty() {
            schema["required"] = self.required.into();
        }
        let there = |names: &[&str]| -> Vec<Value> {
            names
                .iter()
                .map(|name| json!({ "required": [name] }))
                .collect()
        };
        let exclusive = self.exclusive.iter().map(|names| {
            let mut cases = there(names);
            let none = json!({ "not": { "anyOf": cases.clone() } });
            cases.push(none);
            json!({ "oneOf": cases })
        });
        let needed = self
            .needed
            .iter()
            .map(|names| json!({ "oneOf": there(names) }));
        let all: Vec<_> = exclusive.chain(needed).collect();
        if !all.is_empty() {
            schema["allOf"] = all.into();
        }
        Schema::from(schema)
    }
}

#[cfg(test)]
mod tests {
    use tenon_model_derive::Read;

    use super::*;
    use crate::read::{Fields, Node, Path, Read as _, Report};

    /// A colour.
    #[derive(Debug, Clone, Copy, PartialEq, Read)]
    enum Colour {
        /// Like grass.
        Green,
        /// Like the sky.
        #[read(name = "sky-blue")]
        Blue,
    }

    #[derive(Debug, PartialEq, Read)]
    enum Shape {
        /// All around.
        Circle,
        /// So many corners.
        #[read(range(3, 12))]
        Corners(u32),
    }

    #[derive(Debug, PartialEq, Read)]
    #[read(
        ignored("comment"),
        later("texture"),
        refused(taste = "nobody eats it"),
        finish = coloured
    )]
    struct Tile {
        /// What it looks like.
        colour: Option<Colour>,
        #[read(flatten)]
        shape: Shape,
        #[read(default = 1u32)]
        layers: u32,
        #[read(required, with = Node::non_empty)]
        tags: Vec<String>,
        is_glazed: bool,
    }

    fn coloured(tile: Tile, fields: &Fields<'_>) -> Option<Tile> {
        if tile.is_glazed && tile.colour.is_none() {
            fields.error_at("colour", "is required of what is glazed");
        }
        Some(tile)
    }

    fn read(value: Value) -> (Option<Tile>, Vec<String>) {
        let report = Report::new("default");
        let tile = Tile::read(&Node::new(&value, Path::Root("spec"), &report));
        let problems = report.into_problems().into_iter();
        let told = problems.map(|it| format!("{} {}", it.field, it.text));
        (tile, told.collect())
    }

    #[test]
    fn a_declaration_says_how_it_is_read() {
        let tile = |colour, shape, layers| {
            Some(Tile {
                colour,
                shape,
                layers,
                tags: vec!["a".into()],
                is_glazed: false,
            })
        };
        for (value, expected) in [
            (
                json!({"corners": 4, "tags": ["a"], "comment": 1}),
                tile(None, Shape::Corners(4), 1),
            ),
            (
                json!({"circle": {}, "colour": "GREEN", "layers": 2, "tags": ["a"], "taste": ""}),
                tile(Some(Colour::Green), Shape::Circle, 2),
            ),
            (
                json!({"circle": {}, "colour": 1, "tags": ["a"], "is_glazed": false}),
                tile(Some(Colour::Blue), Shape::Circle, 1),
            ),
            // Whole numbers as protobuf's JSON has them.
            (
                json!({"corners": "4", "layers": 2e1, "tags": ["a"]}),
                tile(None, Shape::Corners(4), 20),
            ),
        ] {
            assert_eq!(read(value.clone()), (expected, vec![]), "{value}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_path() {
        for (value, expected) in [
            (
                json!({"tags": ["a"]}),
                &["spec expected one of circle, corners"][..],
            ),
            (
                json!({"circle": {}, "corners": 2, "tags": []}),
                &[
                    "spec circle and corners exclude each other",
                    "spec.corners 2 is not a whole number from 3 to 12",
                    "spec.tags must not be empty",
                ],
            ),
            (
                json!({"circle": {"x": 1}, "colour": "red", "tags": [""], "tint": 1}),
                &[
                    "spec.colour \"red\" is not one of GREEN, sky-blue",
                    "spec.circle.x unknown field",
                    "spec.tags[0] must not be empty",
                    "spec.tint unknown field",
                ],
            ),
            (
                json!({"circle": {}, "layers": 1.5, "tags": ["a"]}),
                &["spec.layers 1.5 is not a whole number from 0 to 4294967295"],
            ),
            (
                json!({"corners": "many", "layers": true, "tags": ["a"]}),
                &[
                    "spec.corners expected a whole number from 3 to 12, found a text",
                    "spec.layers expected a whole number from 0 to 4294967295, found a boolean",
                ],
            ),
            (
                json!({"circle": {}, "texture": 1, "taste": "sweet", "tags": ["a"], "isGlazed": true, "is_glazed": true}),
                &[
                    "spec.texture is not supported yet",
                    "spec.taste is not supported: nobody eats it",
                    "spec.colour is required of what is glazed",
                    "spec.is_glazed is the same as isGlazed",
                ],
            ),
        ] {
            let mut expected = expected.to_vec();
            let mut told = read(value.clone()).1;
            told.sort();
            expected.sort_unstable();
            assert_eq!(told, expected, "{value}");
        }
    }

    #[test]
    fn a_declaration_says_what_the_schema_is() {
        assert_eq!(
            Tile::schema().into_value(),
            json!({
                "type": "object",
                "required": ["tags"],
                "properties": {
                    "colour": {
                        "type": "string",
                        "enum": ["GREEN", "sky-blue"],
                        "description": "What it looks like.\nA colour.\n- GREEN: Like grass.\n- sky-blue: Like the sky.",
                    },
                    "circle": {"type": "object", "description": "All around."},
                    "corners": {"type": "integer", "minimum": 3, "maximum": 12, "description": "So many corners."},
                    "layers": {"type": "integer", "minimum": 0, "maximum": 4_294_967_295u32},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "isGlazed": {"type": "boolean"},
                },
                "allOf": [{"oneOf": [{"required": ["circle"]}, {"required": ["corners"]}]}],
            })
        );
    }
}
