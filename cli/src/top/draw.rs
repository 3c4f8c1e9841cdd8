//! The picture of a model: pure, so that a test sees what a person does.

mod agents;
#[cfg(test)]
pub(super) mod examples;
mod log;
mod looks;
mod over;
mod places;
mod tasks;
#[cfg(test)]
mod tests;

use ratatui::Frame;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::model::{Model, Over, SILENT, Tab};
pub(crate) use looks::Looks;
pub(crate) use places::Places;

/// Draws all of it. The model has been made ready for a screen of this size.
pub(crate) fn draw(frame: &mut Frame<'_>, model: &Model, looks: Looks) {
    let places = &model.places;
    frame.render_widget(Paragraph::new(header(model, looks)), places.header);
    if let Some(tabs) = tabs(model, looks) {
        frame.render_widget(Paragraph::new(tabs), places.tabs);
    }
    if let Some(trouble) = trouble(model) {
        let trouble = Line::styled(trouble, looks.bad());
        frame.render_widget(Paragraph::new(trouble), places.trouble);
    }
    match model.tab {
        Tab::Agents => agents::draw(frame, model, looks),
        Tab::Tasks => tasks::draw(frame, model, looks),
    }
    if !places.log.is_empty() {
        log::draw(frame, model, looks);
    }
    frame.render_widget(Paragraph::new(footer(model, looks)), places.footer);
    over::draw(frame, model, looks);
}

/// Which swarm it is, what it runs on, how many stand how, and what all use up.
fn header(model: &Model, looks: Looks) -> Line<'static> {
    let mut line = Line::from(Span::styled(format!(" {}", model.swarm), looks.title()));
    if !model.backend.is_empty() {
        line.push_span(Span::styled(
            format!(" on {}", model.backend),
            looks.quiet(),
        ));
    }
    line.push_span(Span::raw(format!("   {}", counted(model))));
    for used in agents::total(model) {
        push_if_it_fits(&mut line, model, vec![Span::raw(format!("   {used}"))]);
    }
    line
}

/// Half a word is none.
fn push_if_it_fits(line: &mut Line<'static>, model: &Model, spans: Vec<Span<'static>>) {
    let more: usize = spans.iter().map(Span::width).sum();
    if line.width() + more <= model.places.header.width.into() {
        line.spans.extend(spans);
    }
}

fn counted(model: &Model) -> String {
    let all = model.agents.len();
    let text = match all {
        0 => "no agents".to_owned(),
        1 => "1 agent".to_owned(),
        _ => format!("{all} agents"),
    };
    let words = [
        "running", "starting", "pending", "stopping", "exited", "failed", "unknown",
    ];
    let count = |word| model.agents.iter().filter(|row| row.state == word).count();
    let counts: Vec<String> = words
        .into_iter()
        .map(|word| (word, count(word)))
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    if counts.is_empty() {
        return text;
    }
    format!("{text}: {}", counts.join(", "))
}

/// Where there are tasks: what there is to choose from.
fn tabs(model: &Model, looks: Looks) -> Option<Line<'static>> {
    let tasks = model.tasks.as_ref()?;
    let counts: Vec<String> = tasks
        .counts
        .iter()
        .map(|(status, count)| format!("{count} {status}"))
        .collect();
    let counts = if counts.is_empty() {
        "none".to_owned()
    } else {
        counts.join(", ")
    };
    let style = |tab| {
        if tab == model.tab {
            Looks::chosen()
        } else {
            looks.quiet()
        }
    };
    Some(Line::from(vec![
        Span::raw(" "),
        Span::styled(" Agents ", style(Tab::Agents)),
        Span::raw(" "),
        Span::styled(" Tasks ", style(Tab::Tasks)),
        Span::styled(format!(" {counts}"), looks.quiet()),
    ]))
}

/// Why what is shown is not how it stands.
fn trouble(model: &Model) -> Option<String> {
    if let Some(silent) = model.silent.filter(|silent| *silent >= SILENT) {
        return Some(format!(
            " the engine has not answered for {} s",
            silent.as_secs()
        ));
    }
    let of_tasks = model.tasks.as_ref().filter(|_| model.tab == Tab::Tasks);
    let trouble = match of_tasks.and_then(|tasks| tasks.trouble.as_ref()) {
        Some(trouble) => Some(trouble),
        None => model.trouble.as_ref(),
    };
    if let Some(trouble) = trouble {
        return Some(format!(" {trouble}"));
    }
    let is_living = model.agents.iter().any(|row| !row.is_settled);
    (is_living && !model.is_supervised).then(|| {
        " no supervisor is running: restarts are off; `alveary up -d` starts one".to_owned()
    })
}

/// What was said last, or what can be pressed.
fn footer(model: &Model, looks: Looks) -> Line<'static> {
    if let Over::Filter(_) = &model.over {
        return Line::from(vec![
            Span::styled(" / ", looks.title()),
            Span::raw(model.filter.clone()),
            Span::styled(" ", Looks::chosen()),
            Span::styled("  Enter keeps it, Esc does not", looks.quiet()),
        ]);
    }
    if let Some(note) = &model.note {
        let style = if note.is_bad {
            looks.bad()
        } else {
            looks.good()
        };
        return Line::styled(format!(" {}", note.what), style);
    }
    let mut keys = vec![("q", "quit"), ("?", "help"), ("/", "filter")];
    if model.tasks.is_some() {
        keys.push(("Tab", "agents, tasks"));
    }
    if model.tab == Tab::Agents {
        keys.extend([
            ("l", "logs"),
            ("r", "restart"),
            ("s", "stop"),
            ("o", "order"),
        ]);
    }
    let mut line = Line::from(" ");
    if !model.filter.is_empty() {
        line.push_span(Span::styled(
            format!("filter: {}", model.filter),
            looks.title(),
        ));
        line.push_span(Span::raw("  "));
    }
    for (key, what) in keys {
        let key = Span::styled(key, looks.title());
        let what = Span::styled(format!(" {what}  "), looks.quiet());
        push_if_it_fits(&mut line, model, vec![key, what]);
    }
    line
}
