//! What keys and the mouse do: to what is shown, and to agents.

use alveary::AgentId;
use crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::Position;

use super::model::{Column, Model, Order, Over, Tab};

/// What is to be done besides showing something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Quit,
    Stop(AgentId, String),
    Restart(AgentId, String),
}

/// How far the wheel goes at once.
const WHEEL: isize = 3;

/// Takes a key.
pub(crate) fn key(model: &mut Model, key: KeyEvent) -> Option<Command> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key
        .modifiers
        .intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
    {
        // Ctrl-S is no s.
        let is_ctrl_c = key.modifiers == KeyModifiers::CONTROL && key.code == KeyCode::Char('c');
        return is_ctrl_c.then_some(Command::Quit);
    }
    match std::mem::take(&mut model.over) {
        Over::Nothing => plain(model, key.code),
        // Whatever key it is, it has been read.
        Over::Help => None,
        Over::Stop(id, name) => {
            matches!(key.code, KeyCode::Char('y' | 'Y')).then_some(Command::Stop(id, name))
        }
        Over::Filter(before) => {
            typed(model, before, key.code);
            None
        }
    }
}

/// Changes the filter that is being typed.
fn typed(model: &mut Model, before: String, code: KeyCode) {
    match code {
        KeyCode::Enter => return,
        KeyCode::Esc => {
            model.filter = before;
            return;
        }
        KeyCode::Backspace => {
            model.filter.pop();
        }
        KeyCode::Char(c) => model.filter.push(c),
        _ => {}
    }
    model.over = Over::Filter(before);
}

fn plain(model: &mut Model, code: KeyCode) -> Option<Command> {
    model.note = None;
    let page = isize::try_from(model.places.rows()).unwrap_or(1);
    match code {
        KeyCode::Char('q') => return Some(Command::Quit),
        KeyCode::Esc => return escape(model),
        KeyCode::Char('?' | 'h') => model.over = Over::Help,
        KeyCode::Char('/') => model.over = Over::Filter(model.filter.clone()),
        KeyCode::Tab | KeyCode::BackTab if model.tasks.is_some() => {
            model.tab = match model.tab {
                Tab::Agents => Tab::Tasks,
                Tab::Tasks => Tab::Agents,
            };
        }
        KeyCode::Up | KeyCode::Char('k') => model.select(|cursor, keys| cursor.step(keys, -1)),
        KeyCode::Down | KeyCode::Char('j') => model.select(|cursor, keys| cursor.step(keys, 1)),
        KeyCode::PageUp => far(model, -page, -1),
        KeyCode::PageDown => far(model, page, 1),
        KeyCode::Home => far(model, isize::MIN, isize::MIN),
        KeyCode::End => far(model, isize::MAX, isize::MAX),
        KeyCode::Left => model.log.shift(false),
        KeyCode::Right => model.log.shift(true),
        _ if model.tab == Tab::Agents => return of_agents(model, code),
        _ => {}
    }
    None
}

/// What keys do where agents are shown.
fn of_agents(model: &mut Model, code: KeyCode) -> Option<Command> {
    let selected = model.selected().map(|row| (row.id.clone(), row));
    match (code, selected) {
        (KeyCode::Char('o'), _) => model.order = next(model.order),
        (KeyCode::Char('O'), _) => model.order.reversed = !model.order.reversed,
        (KeyCode::Enter | KeyCode::Char('l'), _) => model.log_is_open = !model.log_is_open,
        (KeyCode::Char('r'), Some((id, row))) => {
            return Some(Command::Restart(id, row.name.clone()));
        }
        (KeyCode::Char('s'), Some((id, row))) => {
            model.over = Over::Stop(id, row.name.clone());
        }
        _ => {}
    }
    None
}

/// Closes what is open, the last first; where nothing is, everything.
fn escape(model: &mut Model) -> Option<Command> {
    if !model.filter.is_empty() {
        model.filter.clear();
    } else if model.log_is_open && model.tab == Tab::Agents {
        model.log_is_open = false;
    } else {
        return Some(Command::Quit);
    }
    None
}

/// Goes far: in the output where it is open, else in the list. `log` counts screens of output, towards its end.
fn far(model: &mut Model, list: isize, log: isize) {
    if model.log_is_open && model.tab == Tab::Agents {
        let room = model.places.log_lines();
        let lines = isize::try_from(room).unwrap_or(1);
        model.log.step(log.saturating_mul(-lines), room);
    } else {
        model.select(|cursor, keys| cursor.step(keys, list));
    }
}

/// The order that comes after this.
fn next(order: Order) -> Order {
    let by = match order.by {
        Column::Name => Column::State,
        Column::State => Column::Cpu,
        Column::Cpu => Column::Memory,
        Column::Memory => Column::Pids,
        Column::Pids => Column::Restarts,
        Column::Restarts => Column::Age,
        Column::Age | Column::Ready | Column::Status => Column::Name,
    };
    Order {
        by,
        reversed: false,
    }
}

/// Takes what the mouse does.
pub(crate) fn mouse(model: &mut Model, event: MouseEvent) {
    let at = Position::new(event.column, event.row);
    let over_log = model.places.log.contains(at);
    match event.kind {
        MouseEventKind::ScrollUp | MouseEventKind::ScrollDown if model.over == Over::Nothing => {
            let by = if event.kind == MouseEventKind::ScrollUp {
                -WHEEL
            } else {
                WHEEL
            };
            if over_log {
                let room = model.places.log_lines();
                model.log.step(-by, room);
            } else {
                model.select(|cursor, keys| cursor.step(keys, by));
            }
        }
        MouseEventKind::Down(MouseButton::Left) => match std::mem::take(&mut model.over) {
            Over::Nothing => click(model, at),
            // What lies over the list is closed by a click, and nothing is stopped by one.
            Over::Help | Over::Stop(..) => {}
            Over::Filter(before) => model.over = Over::Filter(before),
        },
        _ => {}
    }
}

fn click(model: &mut Model, at: Position) {
    let Some(row) = model.places.row_at(at) else {
        return;
    };
    model.select(|cursor, keys| {
        let place = cursor.top() + row;
        if place < keys.len() {
            cursor.set(keys, place);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::draw::examples::{hive, with_tasks};
    use super::*;
    use ratatui::layout::Rect;

    fn press(model: &mut Model, code: KeyCode) -> Option<Command> {
        model.fit(Rect::new(0, 0, 80, 20));
        key(model, KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn selected(model: &Model) -> &str {
        &model.selected().unwrap().name
    }

    #[test]
    fn only_y_stops_what_was_asked_about() {
        for (answer, is_stopped) in [
            (KeyCode::Char('y'), true),
            (KeyCode::Char('n'), false),
            (KeyCode::Enter, false),
            (KeyCode::Esc, false),
            (KeyCode::Char('q'), false),
        ] {
            let mut model = hive();
            press(&mut model, KeyCode::Down);
            assert_eq!(press(&mut model, KeyCode::Char('s')), None);
            // What is meant changes while the question stands: it is about whom it was asked.
            model.order.reversed = true;
            let command = press(&mut model, answer);
            let stopped = matches!(command, Some(Command::Stop(_, name)) if name == "scout-2");
            assert_eq!(stopped, is_stopped, "{answer:?}");
            assert_eq!(model.over, Over::Nothing);
        }
    }

    #[test]
    fn the_arrows_and_their_letters_go_to_the_next_and_far_keys_to_the_ends() {
        let mut model = hive();
        for (code, name) in [
            (KeyCode::Down, "scout-2"),
            (KeyCode::Char('j'), "moody"),
            (KeyCode::Char('k'), "scout-2"),
            (KeyCode::End, "brief"),
            (KeyCode::Up, "moody"),
            (KeyCode::Home, "scout-1"),
            (KeyCode::PageDown, "brief"),
        ] {
            press(&mut model, code);
            assert_eq!(selected(&model), name, "{code:?}");
        }
    }

    #[test]
    fn escape_closes_what_is_open_before_it_ends_everything() {
        let mut model = hive();
        press(&mut model, KeyCode::Enter);
        press(&mut model, KeyCode::Char('/'));
        press(&mut model, KeyCode::Char('s'));
        assert_eq!(press(&mut model, KeyCode::Enter), None);
        assert_eq!((&*model.filter, model.log_is_open), ("s", true));
        assert_eq!(press(&mut model, KeyCode::Esc), None);
        assert_eq!((&*model.filter, model.log_is_open), ("", true));
        assert_eq!(press(&mut model, KeyCode::Esc), None);
        assert!(!model.log_is_open);
        assert_eq!(press(&mut model, KeyCode::Esc), Some(Command::Quit));
    }

    #[test]
    fn letters_that_are_typed_into_the_filter_do_nothing_else() {
        let mut model = hive();
        press(&mut model, KeyCode::Char('/'));
        for c in "moq".chars() {
            assert_eq!(press(&mut model, KeyCode::Char(c)), None);
        }
        assert_eq!(model.selected(), None);
        press(&mut model, KeyCode::Backspace);
        assert_eq!(selected(&model), "moody");
        press(&mut model, KeyCode::Esc);
        assert_eq!(model.filter, "");
    }

    #[test]
    fn a_letter_with_ctrl_or_alt_is_not_that_letter() {
        let mut model = hive();
        for modifier in [KeyModifiers::CONTROL, KeyModifiers::ALT] {
            for letter in ['s', 'r', 'q'] {
                let pressed = KeyEvent::new(KeyCode::Char(letter), modifier);
                assert_eq!(key(&mut model, pressed), None);
                assert_eq!(model.over, Over::Nothing);
            }
        }
    }

    #[test]
    fn ctrl_c_ends_it_whatever_is_open() {
        for over in [Over::Help, Over::Filter(String::new())] {
            let mut model = hive();
            model.over = over;
            let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
            assert_eq!(key(&mut model, ctrl_c), Some(Command::Quit));
        }
    }

    #[test]
    fn a_click_means_the_row_beneath_it_and_the_wheel_moves_what_it_is_over() {
        let mut model = hive();
        model.log_is_open = true;
        model.fit(Rect::new(0, 0, 80, 20));
        let at = |place: Rect, row| MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column: place.x + 1,
            row: place.y + row,
            modifiers: KeyModifiers::NONE,
        };
        let (list, log) = (model.places.list, model.places.log);
        // The first line is of headings.
        mouse(&mut model, at(list, 3));
        assert_eq!(selected(&model), "moody");
        for beside in [at(list, 0), at(log, 1)] {
            mouse(&mut model, beside);
            assert_eq!(selected(&model), "moody");
        }
        let turned = MouseEvent {
            kind: MouseEventKind::ScrollUp,
            ..at(list, 1)
        };
        mouse(&mut model, turned);
        assert_eq!(selected(&model), "scout-1");
    }

    #[test]
    fn tab_goes_to_the_tasks_where_there_are_any_and_agents_are_not_touched_from_there() {
        let mut model = hive();
        press(&mut model, KeyCode::Tab);
        assert_eq!(model.tab, Tab::Agents);
        let mut model = with_tasks();
        press(&mut model, KeyCode::Tab);
        assert_eq!(model.tab, Tab::Tasks);
        assert_eq!(press(&mut model, KeyCode::Char('r')), None);
        press(&mut model, KeyCode::Char('s'));
        assert_eq!(model.over, Over::Nothing);
    }
}
