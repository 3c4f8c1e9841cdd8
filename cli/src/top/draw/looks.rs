//! Colours, where they are wanted; what must be told apart can be told apart without.

use std::io;

use ratatui::style::{Color, Modifier, Style};

/// How things are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Looks {
    colour: bool,
}

impl Looks {
    /// As `--color` and the environment want it of the standard output.
    pub(crate) fn of_stdout() -> Self {
        let colour = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        // What draws has its own mind about `NO_COLOR`, and has not heard of `--color`.
        crossterm::style::force_color_output(colour);
        Self { colour }
    }

    #[cfg(test)]
    pub(super) fn new(colour: bool) -> Self {
        Self { colour }
    }

    fn of(self, colour: Color, otherwise: Modifier) -> Style {
        if self.colour {
            Style::new().fg(colour)
        } else {
            Style::new().add_modifier(otherwise)
        }
    }

    /// What is to be seen first.
    pub(super) fn title(self) -> Style {
        self.of(Color::Cyan, Modifier::BOLD)
            .add_modifier(Modifier::BOLD)
    }

    /// What need not be read.
    pub(super) fn quiet(self) -> Style {
        self.of(Color::DarkGray, Modifier::DIM)
    }

    /// What is meant.
    pub(super) fn chosen() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The looks of what is in a row, and of the row: one that is meant has no colours but its own.
    pub(super) fn of_row(self, is_chosen: bool) -> (Self, Style) {
        if is_chosen {
            (Self { colour: false }, Self::chosen())
        } else {
            (self, Style::new())
        }
    }

    pub(super) fn good(self) -> Style {
        self.of(Color::Green, Modifier::empty())
    }

    pub(super) fn waiting(self) -> Style {
        self.of(Color::Yellow, Modifier::empty())
    }

    pub(super) fn bad(self) -> Style {
        self.of(Color::Red, Modifier::BOLD)
    }
}
