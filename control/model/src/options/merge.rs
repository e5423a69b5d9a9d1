//! Options of several places, merged as Gloo does: of each, the first place that says something counts.

use std::collections::BTreeMap;

use crate::header::HeaderManipulation;

/// What may say nothing.
pub(crate) trait Unset: Clone {
    /// Whether it does.
    fn is_unset(&self) -> bool;
}

impl<T: Clone> Unset for Option<T> {
    fn is_unset(&self) -> bool {
        self.is_none()
    }
}

impl<T: Clone> Unset for Vec<T> {
    fn is_unset(&self) -> bool {
        self.is_empty()
    }
}

impl<K: Clone, V: Clone> Unset for BTreeMap<K, V> {
    fn is_unset(&self) -> bool {
        self.is_empty()
    }
}

impl Unset for bool {
    fn is_unset(&self) -> bool {
        !self
    }
}

impl Unset for HeaderManipulation {
    fn is_unset(&self) -> bool {
        *self == Self::default()
    }
}

/// What counts of one option.
pub(crate) fn first<T: Unset>(own: T, parent: &T) -> T {
    match own.is_unset() {
        true => parent.clone(),
        false => own,
    }
}

/// Merges the options of a struct, all of which have to be told, with their names; but for `transformations`, which have
/// their own rule.
macro_rules! options {
    ($of:ident { $($field:ident: $($name:literal)|+,)* }) => {
        impl $of {
            /// Whether an option is set, by its name in what users write.
            pub fn sets(&self, name: &str) -> bool {
                match name {
                    $($($name)|+ => !crate::options::merge::Unset::is_unset(&self.$field),)*
                    "transformations" | "stagedTransformations" => self.transformations.is_some(),
                    _ => false,
                }
            }

            /// Each that is not set is taken over from another place.
            fn filled(self, from: &Self) -> Self {
                Self {
                    $($field: crate::options::merge::first(self.$field, &from.$field),)*
                    transformations: crate::transformation::Transformations::over(
                        self.transformations,
                        from.transformations.as_ref(),
                    ),
                }
            }
        }
    };
}

pub(crate) use options;
