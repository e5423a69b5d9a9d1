//! Values of types that the standard library and this crate have.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Fields, Node, Read, ReadFields};
use crate::ObjectRef;
use crate::schema::{Object, Schema};

/// A number that can have bounds.
pub(crate) trait Bounded: Sized {
    /// A number within bounds, both included.
    fn within(node: &Node<'_>, least: Self, most: Self) -> Option<Self>;
}

macro_rules! whole_numbers {
    ($($number:ty: $schema:ident),*) => {$(
        impl Bounded for $number {
            fn within(node: &Node<'_>, least: Self, most: Self) -> Option<Self> {
                node.whole(i128::from(least), i128::from(most))
                    .and_then(|number| Self::try_from(number).ok())
            }
        }

        impl Read for $number {
            fn read(node: &Node<'_>) -> Option<Self> {
                node.within(Self::MIN, Self::MAX)
            }

            fn schema() -> Schema {
                Schema::$schema().bounded(Self::MIN as f64, Self::MAX as f64)
            }
        }
    )*};
}

whole_numbers!(u16: integer, u32: integer, u64: long, i32: integer, i64: long);

impl Bounded for f64 {
    fn within(node: &Node<'_>, least: Self, most: Self) -> Option<Self> {
        let number = node.float()?;
        match (least..=most).contains(&number) {
            true => Some(number),
            false => node.error(format!("{number} is not from {least} to {most}")),
        }
    }
}

impl Read for f64 {
    fn read(node: &Node<'_>) -> Option<Self> {
        node.float()
    }

    fn schema() -> Schema {
        Schema::number()
    }
}

impl Read for bool {
    fn read(node: &Node<'_>) -> Option<Self> {
        node.boolean()
    }

    fn schema() -> Schema {
        Schema::Flag
    }
}

impl Read for String {
    fn read(node: &Node<'_>) -> Option<Self> {
        node.string()
    }

    fn schema() -> Schema {
        Schema::Text
    }
}

impl Read for Duration {
    fn read(node: &Node<'_>) -> Option<Self> {
        node.duration()
    }

    fn schema() -> Schema {
        Schema::Duration
    }
}

impl Read for IpAddr {
    fn read(node: &Node<'_>) -> Option<Self> {
        let text = node.non_empty()?;
        match text.parse() {
            Ok(address) => Some(address),
            Err(_) => node.error(format!("{text:?} is not an IP address")),
        }
    }

    fn schema() -> Schema {
        Schema::Text
    }
}

impl Read for Value {
    fn read(node: &Node<'_>) -> Option<Self> {
        Some(node.value().clone())
    }

    fn schema() -> Schema {
        Schema::Any
    }
}

impl Read for Map<String, Value> {
    fn read(node: &Node<'_>) -> Option<Self> {
        node.map(|_| Some(()))?;
        node.value().as_object().cloned()
    }

    fn schema() -> Schema {
        Schema::OpenObject
    }
}

impl<T: Read> Read for Box<T> {
    fn read(node: &Node<'_>) -> Option<Self> {
        T::read(node).map(Self::new)
    }

    fn schema() -> Schema {
        T::schema()
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(node: &Node<'_>) -> Option<Self> {
        node.list(|node| T::read(&node))
    }

    fn schema() -> Schema {
        Schema::list(T::schema(), false)
    }
}

impl<T: Read> Read for Arc<T> {
    fn read(node: &Node<'_>) -> Option<Self> {
        T::read(node).map(Self::new)
    }

    fn schema() -> Schema {
        T::schema()
    }
}

impl Read for ObjectRef {
    fn read(node: &Node<'_>) -> Option<Self> {
        node.reference(node.namespace())
    }

    fn schema() -> Schema {
        Object::of::<Self>(
            "tenon_model::ObjectRef",
            "The name and namespace of another resource.",
        )
    }
}

impl ReadFields for ObjectRef {
    fn read_fields(fields: &mut Fields<'_>) -> Option<Self> {
        fields.reference()
    }

    fn describe(object: &mut Object) {
        object.field("name", "Its name.", String::schema(), true);
        object.field(
            "namespace",
            "Its namespace; where it is left out, the one of this resource.",
            String::schema(),
            false,
        );
    }
}
