//! What lies over the list: the keys, and a question.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Padding, Paragraph};

use super::Looks;
use crate::top::model::{Model, Over};

const KEYS: [(&str, &str); 14] = [
    ("↑ ↓  j k", "the agent or task above or below"),
    (
        "PgUp PgDn",
        "a page further, in the output where it is open",
    ),
    (
        "Home End",
        "the first and the last; the oldest output and the newest",
    ),
    ("← →", "long lines of output, to the side"),
    ("/", "filter by name, state or id; Esc ends it"),
    ("Enter  l", "what the agent writes, as it writes it"),
    ("r", "restart the agent"),
    ("s", "stop the agent, after a question"),
    ("o  O", "another order; the other way round"),
    ("Tab", "agents or tasks, where a coordinator runs"),
    ("mouse", "a click means a row, the wheel scrolls"),
    ("?", "this"),
    ("Esc", "close what is open, and end where nothing is"),
    ("q  Ctrl-C", "end; the agents go on"),
];

pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, looks: Looks) {
    match &model.over {
        Over::Nothing | Over::Filter(_) => {}
        Over::Help => {
            let lines = KEYS.map(|(key, what)| {
                Line::from(vec![
                    Span::styled(format!("{key:10} "), looks.title()),
                    Span::raw(what),
                ])
            });
            window(frame, "Keys", lines.to_vec(), Alignment::Left, looks);
        }
        Over::Stop(_, name) => {
            let lines = vec![
                Line::from(format!("Stop {name}?")),
                Line::default(),
                Line::from(vec![
                    Span::styled("y", looks.title()),
                    Span::raw(" stops it   "),
                    Span::styled("n", looks.title()),
                    Span::raw(" does not"),
                ]),
            ];
            window(frame, "Stop", lines, Alignment::Center, looks);
        }
    }
}

/// A window in the middle, as large as what is in it, or as the screen.
fn window(
    frame: &mut Frame<'_>,
    title: &'static str,
    lines: Vec<Line<'_>>,
    side: Alignment,
    looks: Looks,
) {
    let screen = frame.area();
    let size = |text: usize, frame: usize, room: u16| {
        u16::try_from(text + frame).unwrap_or(room).min(room)
    };
    let widest = lines.iter().map(Line::width).max().unwrap_or_default();
    let width = size(widest, 6, screen.width);
    let height = size(lines.len(), 2, screen.height);
    let place = Rect::new(
        screen.x + (screen.width - width) / 2,
        screen.y + (screen.height - height) / 2,
        width,
        height,
    );
    let block = Block::bordered()
        .title(Line::styled(format!(" {title} "), looks.title()))
        .padding(Padding::horizontal(2));
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).alignment(side).block(block), place);
}
