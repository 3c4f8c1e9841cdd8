//! What the agent that is meant has written.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::Looks;
use crate::top::model::Model;

pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, looks: Looks) {
    let [above, body] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(model.places.log);
    let log = &model.log;
    let name = log.of.as_ref().map(|of| of.name.clone());
    let how = match (&log.end, log.follows()) {
        (Some(end), _) => end.clone(),
        (None, true) => String::new(),
        (None, false) => "End shows what is new".to_owned(),
    };
    let title = format!(" {} ", name.unwrap_or_default());
    let mut line = Line::from(vec![
        Span::styled("──", looks.quiet()),
        Span::styled(title, looks.title()),
        Span::styled(format!("{how} "), looks.quiet()),
    ]);
    let rule = usize::from(above.width).saturating_sub(line.width());
    line.push_span(Span::styled("─".repeat(rule), looks.quiet()));
    frame.render_widget(Paragraph::new(line), above);
    if log.is_empty() {
        let nothing = Line::styled(" nothing has been written yet", looks.quiet());
        frame.render_widget(Paragraph::new(nothing), body);
        return;
    }
    let lines: Vec<Line<'_>> = log.seen(body.height.into()).map(Line::raw).collect();
    frame.render_widget(Paragraph::new(lines), body);
}
