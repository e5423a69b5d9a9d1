//! Bodies that are held back until they are there as a whole.

use tenon_model_derive::Read;

use super::values::only_true;
use crate::read::Read;
use crate::schema::Schema;

/// Whether bodies of requests are held back until they are there as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub enum BufferPerRoute {
    /// They are not, whatever is said elsewhere.
    #[read(with = only_true, schema = flag)]
    Disabled(()),
    /// They are.
    Buffer(Buffer),
}

/// Bodies are held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct Buffer {
    /// The longest, in bytes; a longer one is answered with 413.
    #[read(range(1, u32::MAX))]
    pub max_request_bytes: u32,
}

fn flag() -> Schema {
    <bool as Read>::schema()
}
