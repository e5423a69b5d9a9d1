//! Reads of a JSON document what is asked for. All of it is checked as if it were kept; but most of what a value costs is
//! the memory that it takes.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use tenon_contract::Sorted;

/// Which members of the document's object somebody reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Members {
    /// All of them, or it is not known which.
    All,
    /// These.
    Named(Sorted<String, ()>),
}

impl Members {
    /// None yet.
    pub(super) fn none() -> Self {
        Self::Named(Sorted::new())
    }

    pub(super) fn add(&mut self, name: &str) {
        if let Self::Named(names) = self {
            names.insert(name.to_owned(), ());
        }
    }
}

/// Reads a document. One that is not an object is kept whole.
pub(super) fn parse(document: &[u8], members: &Members) -> Result<Value, serde_json::Error> {
    let Members::Named(names) = members else {
        return serde_json::from_slice(document);
    };
    let is_object = document.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if !is_object {
        return serde_json::from_slice(document);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(document);
    let value = Chosen(names).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// An object's members of these names.
struct Chosen<'a>(&'a Sorted<String, ()>);

impl<'de> DeserializeSeed<'de> for Chosen<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        // As `Value` itself does, so that what is no JSON gets the same error.
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Chosen<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key_seed(Name(self.0))? {
            match name {
                // Of members with one name the last counts, as always.
                Some(name) => drop(members.insert(name.to_owned(), map.next_value()?)),
                None => map.next_value_seed(Checked)?,
            }
        }
        Ok(Value::Object(members))
    }
}

/// A member's name, if it is one of these.
struct Name<'a>(&'a Sorted<String, ()>);

impl<'de, 'a> DeserializeSeed<'de> for Name<'a> {
    type Value = Option<&'a str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Name<'a> {
    type Value = Option<&'a str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.key(name).map(String::as_str))
    }
}

/// A value that nobody reads: everything that would be wrong with it is, but nothing is kept.
struct Checked;

impl<'de> DeserializeSeed<'de> for Checked {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_key_seed(Self)?.is_some() {
            members.next_value_seed(Self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn named(names: &[&str]) -> Members {
        let mut members = Members::none();
        names.iter().for_each(|name| members.add(name));
        members
    }

    /// What comes of a document, or of its error.
    fn both(document: &[u8], names: &[&str]) -> [Result<Value, String>; 2] {
        let chosen = parse(document, &named(names)).map_err(|error| error.to_string());
        let mut all = serde_json::from_slice::<Value>(document).map_err(|error| error.to_string());
        if let Ok(Value::Object(members)) = &mut all {
            members.retain(|name, _| names.contains(&name.as_str()));
        }
        [chosen, all]
    }

    #[test]
    fn what_is_asked_for_is_there_and_nothing_else() {
        let document = br#" {"a":{"b":[1,"\u00fc"]},"c":1e3,"d":null,"\u0061":2} "#;
        let [chosen, all] = both(document, &["a", "d", "x"]);
        assert_eq!(chosen, all);
        assert_eq!(chosen.unwrap(), serde_json::json!({"a": 2, "d": null}));
        assert_eq!(
            both(b"[{\"a\":1}]", &["a"])[0],
            both(b"[{\"a\":1}]", &["a"])[1]
        );
    }

    #[test]
    fn what_nobody_reads_is_checked_all_the_same() {
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
        for document in [
            r#"{"x":1e999}"#,
            r#"{"x":"\ud800"}"#,
            r#"{"x":"\q"}"#,
            r#"{"x":01}"#,
            r#"{"x":[1,]}"#,
            r#"{"x":{"y"}}"#,
            r#"{"x":1} 2"#,
            r#"{"x":1"#,
            r#"{"x":nul}"#,
            r#"{1:2}"#,
            "{\"x\":\"\n\"}",
            &deep,
        ] {
            let [chosen, all] = both(document.as_bytes(), &["a"]);
            assert!(all.is_err(), "{document}");
            assert_eq!(chosen, all, "{document}");
        }
        let [chosen, all] = both(b"{\"x\":\"\xff\"}", &["a"]);
        assert_eq!(chosen, all);
        assert!(all.is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_taken_or_refused_alike(parts in vec(prop_oneof![
            Just("{"), Just("}"), Just("["), Just("]"), Just(":"), Just(","), Just("\"a\""), Just("\"b\":"), Just("1"),
            Just("-"), Just("1e9"), Just("\"\\u00e9\""), Just("null"), Just("true"), Just(" "), Just("{}"), Just("\"a\":1,"),
        ], 0..12), wrap in any::<bool>()) {
            let mut document = parts.concat();
            if wrap {
                document = format!("{{\"a\":1,{document}}}");
            }
            let [chosen, all] = both(document.as_bytes(), &["a"]);
            prop_assert_eq!(chosen, all);
        }
    }
}
