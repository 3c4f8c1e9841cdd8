//! Where everything is on a screen.

use ratatui::layout::{Constraint, Layout, Position, Rect};

use super::super::model::{Model, Tab};

/// Where everything is. What is not there has no room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) header: Rect,
    pub(crate) tabs: Rect,
    pub(crate) trouble: Rect,
    /// Headings, and rows beneath them.
    pub(crate) list: Rect,
    /// A line above it, and output.
    pub(crate) log: Rect,
    pub(crate) footer: Rect,
}

impl Places {
    pub(crate) fn of(screen: Rect, model: &Model) -> Self {
        let if_so = |is: bool| Constraint::Length(u16::from(is));
        let log = if model.log_is_open && model.tab == Tab::Agents {
            Constraint::Percentage(50)
        } else {
            Constraint::Length(0)
        };
        let parts = [
            Constraint::Length(1),
            if_so(model.tasks.is_some()),
            if_so(super::trouble(model).is_some()),
            Constraint::Min(2),
            log,
            Constraint::Length(1),
        ];
        let [header, tabs, trouble, list, log, footer] = Layout::vertical(parts).areas(screen);
        Self {
            header,
            tabs,
            trouble,
            list,
            log,
            footer,
        }
    }

    /// How many rows of the list there is room for.
    pub(crate) fn rows(&self) -> usize {
        usize::from(self.list.height.saturating_sub(1))
    }

    /// How many lines of output there is room for.
    pub(crate) fn log_lines(&self) -> usize {
        usize::from(self.log.height.saturating_sub(1))
    }

    /// Which of the rows that are seen is here.
    pub(crate) fn row_at(&self, at: Position) -> Option<usize> {
        if !self.list.contains(at) {
            return None;
        }
        usize::from(at.y - self.list.y).checked_sub(1)
    }
}
