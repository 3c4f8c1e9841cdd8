//! A start that is about to be made, until it is answered.

use alveary_core::{AgentBackend, AgentId, AgentInfo, ErrorKind, Incarnation, Result};

use super::core::Core;
use super::row::Unsure;

/// A start that has been announced. Dropped before it was answered, it leaves the agent as one of which
/// nobody knows how it stands, until a list tells.
pub(super) struct Announced<'a, B: AgentBackend + ?Sized> {
    core: &'a Core<B>,
    pub(super) id: &'a AgentId,
    pub(super) incarnation: Incarnation,
    first: bool,
    open: bool,
}

impl<'a, B: AgentBackend + ?Sized> Announced<'a, B> {
    pub(super) fn new(
        core: &'a Core<B>,
        id: &'a AgentId,
        incarnation: Incarnation,
        first: bool,
    ) -> Self {
        core.table.begin(id, incarnation);
        Self {
            core,
            id,
            incarnation,
            first,
            open: true,
        }
    }

    fn doubt(&mut self, why: String) {
        self.open = false;
        let unsure = Unsure {
            incarnation: self.incarnation,
            why,
            first: self.first,
        };
        self.core.table.doubt(self.id, unsure);
    }

    /// It was not even tried.
    pub(super) fn withdraw(mut self) {
        self.open = false;
        self.core.table.settle(self.id);
    }

    pub(super) fn answered(mut self, answer: &Result<AgentInfo>) {
        match answer {
            Ok(info) => {
                self.open = false;
                self.core.table.started(info.clone());
            }
            Err(error) if error.kind() == ErrorKind::Indeterminate => {
                self.doubt(error.to_string());
            }
            Err(_) => self.withdraw(),
        }
    }
}

impl<B: AgentBackend + ?Sized> Drop for Announced<'_, B> {
    fn drop(&mut self) {
        if self.open {
            self.doubt("its start was called off before the engine had answered".to_owned());
        }
    }
}
