//! Options of several places, merged as Gloo does: of each that stands at the top, the first place that says something
//! counts. `#[derive(Merge)]` says it field by field.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::hcm;
use crate::header::HeaderManipulation;
use crate::listener_ssl::OcspStaplePolicy;
use crate::read::ReadFields;
use crate::schema::Object;
use crate::transformation::Transformations;

/// Options that several places may say.
pub trait Merge: Clone + Default + PartialEq {
    /// Whether one is set, by its name in what users write.
    fn sets(&self, name: &str) -> bool;

    /// These, and what another place says besides.
    fn or(&self, other: &Self) -> Self;

    /// What is said of some options only, by their names in what users write.
    fn only(&self, names: &BTreeSet<String>) -> Self;

    /// What several places say, in this order.
    fn merged<'a>(in_order: impl IntoIterator<Item = &'a Self>) -> Self
    where
        Self: 'a,
    {
        let in_order = in_order.into_iter();
        in_order.fold(Self::default(), |first, then| first.or(then))
    }

    /// As [`Merge::or`]; one of them that says nothing is no more than the other.
    fn shared_or(own: &Arc<Self>, other: &Arc<Self>) -> Arc<Self> {
        let nothing = Self::default();
        match (**own == nothing, **other == nothing) {
            (true, _) => other.clone(),
            (false, true) => own.clone(),
            (false, false) => Arc::new(own.or(other)),
        }
    }
}

/// What may say nothing.
pub(crate) trait Unset: Clone {
    /// Whether it does.
    fn is_unset(&self) -> bool;
}

/// Fields that stand beside those of a struct.
pub(crate) trait Named {
    /// Whether a name is one of theirs.
    fn has(name: &str) -> bool;
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

/// What says nothing by being what it is where it is left out, as enums of protobuf.
macro_rules! unset_by_default {
    ($($type:ty),* $(,)?) => {
        $(impl Unset for $type {
            fn is_unset(&self) -> bool {
                *self == Self::default()
            }
        })*
    };
}

unset_by_default!(
    HeaderManipulation,
    OcspStaplePolicy,
    hcm::CodecType,
    hcm::ForwardClientCertDetails,
    hcm::HeadersWithUnderscoresAction,
    hcm::PathWithEscapedSlashesAction,
    hcm::ServerHeaderTransformation,
    hcm::SetCurrentClientCertDetails,
);

impl<T: ReadFields> Named for Option<T> {
    fn has(name: &str) -> bool {
        Object::has::<T>(name)
    }
}

/// What counts of one option.
pub(crate) fn first<T: Unset>(own: &T, other: &T) -> T {
    match own.is_unset() {
        true => other.clone(),
        false => own.clone(),
    }
}

/// What several places say counts together, each once.
pub(crate) fn both<T: Clone + PartialEq>(own: &[T], other: &[T]) -> Vec<T> {
    let more = other.iter().filter(|it| !own.contains(it));
    own.iter().chain(more).cloned().collect()
}

/// Transformations that inherit say more than the first place does.
pub(crate) fn transformations(
    own: &Option<Transformations>,
    other: &Option<Transformations>,
) -> Option<Transformations> {
    Transformations::over(own.as_ref(), other.as_ref())
}
