//! What of a message a template reads, found out while it is parsed.

use tenon_contract::Sorted;

use super::Uses;

/// Collects reads. A name that is surely set where it is read is none of the message's.
#[derive(Debug, Default)]
pub(super) struct Reads {
    body: bool,
    context: bool,
    variables: Sorted<String, ()>,
    /// Names that are set here, and how many of them there were when each open block began.
    bound: Vec<String>,
    blocks: Vec<usize>,
}

impl Reads {
    pub(super) fn body(&mut self) {
        self.body = true;
    }

    pub(super) fn context(&mut self) {
        self.context = true;
    }

    pub(super) fn variable(&mut self, name: &str) {
        if !self.bound.iter().any(|bound| bound == name) {
            self.variable_of_message(name);
        }
    }

    /// A name that is looked up in the message only, set or not.
    pub(super) fn variable_of_message(&mut self, name: &str) {
        self.variables.insert(name.to_owned(), ());
    }

    pub(super) fn bind(&mut self, name: String) {
        if !self.bound.contains(&name) {
            self.bound.push(name);
        }
    }

    pub(super) fn open(&mut self) {
        self.blocks.push(self.bound.len());
    }

    /// Forgets what the branch before has set.
    pub(super) fn next_branch(&mut self) {
        self.bound
            .truncate(self.blocks.last().copied().unwrap_or_default());
    }

    /// Forgets what the block has set, unless it was surely rendered.
    pub(super) fn close(&mut self, surely: bool) {
        let before = self.blocks.pop().unwrap_or_default();
        if !surely {
            self.bound.truncate(before);
        }
    }

    pub(super) fn into_uses(self) -> Uses {
        Uses {
            body: self.body,
            context: self.context,
            variables: self.variables.into_iter().map(|(name, ())| name).collect(),
        }
    }
}
