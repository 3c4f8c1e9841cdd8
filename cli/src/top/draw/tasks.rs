//! The list of tasks.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint};
use ratatui::style::{Modifier, Style};
use ratatui::text::Text;
use ratatui::widgets::{Cell, Paragraph, Row as Cells, Table};

use super::Looks;
use crate::output::span;
use crate::top::model::Model;
use crate::top::tasks::Task;

/// Below this some columns are left out.
const WIDE: u16 = 76;

pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, looks: Looks) {
    let places = &model.places;
    let rows = model.task_rows();
    if rows.is_empty() {
        let nothing = if model.filter.is_empty() {
            "\n There are no tasks. `alveary task add` gives one.".to_owned()
        } else {
            format!(
                "\n No task has `{}` in it. Esc shows them all.",
                model.filter
            )
        };
        frame.render_widget(Paragraph::new(nothing), places.list);
        return;
    }
    let keys: Vec<&str> = rows.iter().map(|row| &*row.id).collect();
    let selected = model.of_tasks.of(&keys);
    let is_wide = places.list.width >= WIDE;
    let top = model.of_tasks.top();
    let seen = rows
        .iter()
        .enumerate()
        .skip(top)
        .take(places.rows())
        .map(|(place, task)| {
            let (looks, style) = looks.of_row(Some(place) == selected);
            row(model, task, is_wide, looks).style(style)
        });
    let mut headings = vec!["TASK", "STATUS", "LEFT", "BIDS", "SATS"];
    let mut widths = [8, 9, 6, 4, 6].map(Constraint::Length).to_vec();
    if is_wide {
        headings.extend(["AGENT", "AGE"]);
        widths.extend([Constraint::Length(14), Constraint::Length(4)]);
    }
    headings.push("DESCRIPTION");
    widths.push(Constraint::Fill(1));
    let headings = headings.into_iter().map(|text| {
        let style = Style::new().add_modifier(Modifier::BOLD);
        let side = if ["LEFT", "BIDS", "SATS", "AGE"].contains(&text) {
            Alignment::Right
        } else {
            Alignment::Left
        };
        Cell::new(Text::styled(text, style).alignment(side))
    });
    let table = Table::new(seen, widths)
        .header(Cells::new(headings).style(looks.quiet()))
        .column_spacing(2);
    frame.render_widget(table, places.list);
}

fn row(model: &Model, task: &Task, is_wide: bool, looks: Looks) -> Cells<'static> {
    let left = |text: String, style| Cell::new(Text::styled(text, style));
    let right = |text: String| Cell::new(Text::raw(text).alignment(Alignment::Right));
    let rest = task.left(model.now);
    let rest = rest.map(|rest| match rest.as_secs() {
        0..100 => format!("{:.1}s", rest.as_secs_f64()),
        _ => span(rest),
    });
    let mut cells = vec![
        left(task.short.clone(), Style::new()),
        left(task.status.to_owned(), of_status(task.status, looks)),
        right(rest.unwrap_or_default()),
        right(task.bids.map(|bids| bids.to_string()).unwrap_or_default()),
        right(task.sats.clone().unwrap_or_default()),
    ];
    if is_wide {
        let age = model.now.duration_since(task.given).unwrap_or_default();
        cells.push(left(task.agent.clone(), Style::new()));
        cells.push(right(span(age)));
    }
    cells.push(left(task.description.clone(), Style::new()));
    Cells::new(cells)
}

fn of_status(status: &str, looks: Looks) -> Style {
    match status {
        "failed" => looks.bad(),
        "completed" => looks.quiet(),
        "running" => looks.good(),
        _ => looks.waiting(),
    }
}
