//! The list of agents.

use alveary::ByteSize;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint};
use ratatui::style::{Modifier, Style};
use ratatui::text::Text;
use ratatui::widgets::{Cell, Paragraph, Row as Cells, Table, Wrap};
use unicode_width::UnicodeWidthStr;

use super::Looks;
use crate::output::span;
use crate::top::model::{Column, Model};
use crate::top::row::{Row, Used};

/// The columns from left to right: a heading, a width, and which of them gives way first where there is little room,
/// the greatest number first.
const COLUMNS: [(Column, &str, usize, u8); 9] = [
    (Column::Name, "NAME", 4, 0),
    (Column::State, "STATE", 8, 0),
    (Column::Ready, "READY", 5, 5),
    // With room for the mark of an order.
    (Column::Restarts, "RESTARTS", 9, 6),
    (Column::Age, "AGE", 4, 3),
    (Column::Cpu, "CPU", 8, 1),
    (Column::Memory, "MEMORY", 10, 1),
    (Column::Pids, "PIDS", 5, 4),
    (Column::Status, "STATUS", 16, 2),
];

/// What a name may take up of the room.
const WIDEST_NAME: usize = 28;

const BETWEEN: usize = 2;

pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, looks: Looks) {
    let places = &model.places;
    let rows = model.rows();
    if rows.is_empty() {
        let nobody = Paragraph::new(nobody(model)).wrap(Wrap { trim: false });
        frame.render_widget(nobody, places.list);
        return;
    }
    let names = rows.iter().map(|row| row.name.width());
    let widest = names.max().unwrap_or_default().clamp(4, WIDEST_NAME);
    let columns = columns(widest, places.list.width.into());
    let selected = model.selected().map(|row| &row.id);
    let seen = rows
        .iter()
        .skip(model.of_agents.top())
        .take(places.rows())
        .map(|row| {
            let (looks, style) = looks.of_row(Some(&row.id) == selected);
            let cells = columns
                .iter()
                .map(|(column, _)| cell(model, row, *column, looks));
            Cells::new(cells).style(style)
        });
    let headings = columns.iter().map(|(column, _)| heading(model, *column));
    let widths = columns.iter().map(|(column, width)| match column {
        Column::Status => Constraint::Fill(1),
        _ => Constraint::Length(u16::try_from(*width).unwrap_or(u16::MAX)),
    });
    let table = Table::new(seen, widths)
        .header(Cells::new(headings).style(looks.quiet()))
        .column_spacing(u16::try_from(BETWEEN).unwrap_or(1));
    frame.render_widget(table, places.list);
}

/// What is said where there is nobody to be shown.
fn nobody(model: &Model) -> String {
    if !model.is_there {
        return format!(
            "\n The swarm `{}` has never been brought up. As soon as it is, it is shown here.",
            model.swarm
        );
    }
    if model.backend.is_empty() {
        return "\n …".to_owned();
    }
    if model.filter.is_empty() {
        return "\n There are no agents. `alveary up` starts those of the file.".to_owned();
    }
    format!(
        "\n No agent's name, state or id has `{}` in it. Esc shows them all.",
        model.filter
    )
}

/// The columns for which there is room, and how wide they are.
fn columns(widest_name: usize, room: usize) -> Vec<(Column, usize)> {
    let mut columns: Vec<_> = COLUMNS
        .into_iter()
        .map(|(column, _, width, rank)| match column {
            Column::Name => (column, widest_name, rank),
            _ => (column, width, rank),
        })
        .collect();
    loop {
        let width: usize = columns.iter().map(|(_, width, _)| width + BETWEEN).sum();
        let last = columns.iter().map(|(_, _, rank)| *rank).max();
        match last {
            Some(rank) if rank > 0 && width > room + BETWEEN => {
                columns.retain(|(_, _, own)| *own != rank);
            }
            _ => break,
        }
    }
    let columns = columns.into_iter();
    columns.map(|(column, width, _)| (column, width)).collect()
}

fn heading(model: &Model, column: Column) -> Cell<'static> {
    let (_, text, ..) = COLUMNS
        .into_iter()
        .find(|(own, ..)| *own == column)
        .unwrap_or(COLUMNS[0]);
    let order = model.order;
    let text = match (order.by == column, order.reversed) {
        (true, true) => format!("{text}▲"),
        (true, false) if column != Column::Name => format!("{text}▼"),
        _ => text.to_owned(),
    };
    aligned(column, text, Style::new().add_modifier(Modifier::BOLD))
}

fn cell(model: &Model, row: &Row, column: Column, looks: Looks) -> Cell<'static> {
    let used = model.used_by(row);
    let (text, style) = match column {
        Column::Name => (row.name.clone(), Style::new()),
        Column::State => (row.state.to_owned(), of_state(row, looks)),
        Column::Ready => match (row.ready, row.is_settled) {
            (true, _) => ("yes".to_owned(), Style::new()),
            (false, true) => ("-".to_owned(), looks.quiet()),
            (false, false) => ("no".to_owned(), looks.waiting()),
        },
        Column::Restarts => (row.restarts.to_string(), Style::new()),
        Column::Age => {
            let age = model.now.duration_since(row.since).unwrap_or_default();
            (span(age), Style::new())
        }
        Column::Cpu => (or_dash(used.cpu.map(percent)), Style::new()),
        Column::Memory => (or_dash(used.memory), Style::new()),
        Column::Pids => (or_dash(used.pids), Style::new()),
        Column::Status if row.is_bad => (row.status.clone(), looks.bad()),
        Column::Status => (row.status.clone(), looks.quiet()),
    };
    aligned(column, text, style)
}

fn aligned(column: Column, text: String, style: Style) -> Cell<'static> {
    let side = match column {
        Column::Restarts | Column::Age | Column::Cpu | Column::Memory | Column::Pids => {
            Alignment::Right
        }
        _ => Alignment::Left,
    };
    Cell::new(Text::styled(text, style).alignment(side))
}

fn of_state(row: &Row, looks: Looks) -> Style {
    match row.state {
        _ if row.is_bad => looks.bad(),
        "running" => looks.good(),
        "exited" => looks.quiet(),
        _ => looks.waiting(),
    }
}

fn percent(percent: f64) -> String {
    format!("{percent:.1} %")
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// What all agents use up together, as far as that is known.
pub(super) fn total(model: &Model) -> Vec<String> {
    let used: Vec<Used> = model.agents.iter().map(|row| model.used_by(row)).collect();
    let mut parts = Vec::new();
    if used.iter().any(|used| used.cpu.is_some()) {
        let all: f64 = used.iter().filter_map(|used| used.cpu).sum();
        parts.push(format!("CPU {}", percent(all)));
    }
    if used.iter().any(|used| used.memory.is_some()) {
        let all: u64 = used
            .iter()
            .filter_map(|used| used.memory)
            .map(|size| size.0)
            .sum();
        parts.push(format!("memory {}", ByteSize(all)));
    }
    if used.iter().any(|used| used.pids.is_some()) {
        let all: u64 = used.iter().filter_map(|used| used.pids).sum();
        parts.push(format!("pids {all}"));
    }
    parts
}
