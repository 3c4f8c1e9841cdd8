//! What a person sees.

use std::time::Duration;

use alveary::{LogCursor, LogItem, LogPiece, LogStreamKind};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::examples::{hive, with_tasks};
use super::{Looks, draw};
use crate::top::log::Log;
use crate::top::model::{Column, Model, Note, Over, Tab};

fn drawn(model: &mut Model, width: u16, height: u16, looks: Looks) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    model.fit(Rect::new(0, 0, width, height));
    terminal.draw(|frame| draw(frame, model, looks)).unwrap();
    terminal
}

/// The screen as text, without blanks at the ends of its lines.
fn screen(model: &mut Model, width: u16, height: u16) -> String {
    let terminal = drawn(model, width, height, Looks::new(true));
    let screen = text(terminal.backend().buffer());
    let lines: Vec<&str> = screen.lines().map(str::trim_end).collect();
    lines.join(
        "
",
    )
}

fn text(buffer: &Buffer) -> String {
    let cells = buffer.content.chunks(buffer.area.width.into());
    let lines = cells.map(|line| line.iter().map(|cell| cell.symbol()).collect::<String>());
    lines.map(|line| line + "\n").collect()
}

fn with_log() -> Model {
    let mut model = hive();
    model.log_is_open = true;
    model.log = Log::of(model.wanted_log().unwrap());
    let lines: Vec<String> = (1..=12).map(|n| format!("flower {n} of twelve")).collect();
    let lines = lines.join(
        "
",
    );
    let piece = LogPiece::new(
        LogStreamKind::Stdout,
        lines.into(),
        None,
        LogCursor::new(""),
    );
    model.log.hear(&LogItem::Piece(piece)).unwrap();
    model
}

#[test]
fn agents_with_what_they_use_up_and_how_they_ended() {
    insta::assert_snapshot!(screen(&mut hive(), 100, 12));
}

#[test]
fn a_swarm_without_agents_says_how_there_will_be_some() {
    let mut model = Model::new("hive");
    "process".clone_into(&mut model.backend);
    insta::assert_snapshot!(screen(&mut model, 80, 6));
    model.is_there = false;
    insta::assert_snapshot!(screen(&mut model, 80, 6));
}

#[test]
fn a_filter_that_is_typed_and_one_that_nobody_fits() {
    let mut model = hive();
    "sc".clone_into(&mut model.filter);
    model.over = Over::Filter(String::new());
    insta::assert_snapshot!(screen(&mut model, 80, 8));
    "queen".clone_into(&mut model.filter);
    model.over = Over::Nothing;
    insta::assert_snapshot!(screen(&mut model, 80, 8));
}

#[test]
fn the_output_of_the_agent_that_is_meant() {
    let mut model = with_log();
    insta::assert_snapshot!(screen(&mut model, 80, 16));
    model.log.step(3, 6);
    insta::assert_snapshot!(screen(&mut model, 80, 16));
}

#[test]
fn tasks_and_open_auctions_with_what_is_left_of_them() {
    let mut model = with_tasks();
    model.tab = Tab::Tasks;
    insta::assert_snapshot!(screen(&mut model, 100, 10));
    insta::assert_snapshot!(screen(&mut model, 60, 10));
}

#[test]
fn a_question_before_an_agent_is_stopped() {
    let mut model = hive();
    let row = model.selected().unwrap();
    model.over = Over::Stop(row.id.clone(), row.name.clone());
    insta::assert_snapshot!(screen(&mut model, 80, 14));
}

#[test]
fn the_keys() {
    let mut model = hive();
    model.over = Over::Help;
    insta::assert_snapshot!(screen(&mut model, 80, 20));
}

#[test]
fn a_narrow_screen_leaves_out_what_matters_least() {
    let mut model = with_log();
    model.order.by = Column::Memory;
    insta::assert_snapshot!(screen(&mut model, 60, 15));
}

#[test]
fn a_screen_that_is_too_small_for_anything_is_drawn_all_the_same() {
    for (width, height) in [(1, 1), (8, 2), (20, 4), (0, 0)] {
        for mut model in [with_log(), with_tasks()] {
            for over in [Over::Nothing, Over::Help, Over::Filter(String::new())] {
                model.over = over;
                drawn(&mut model, width, height, Looks::new(true));
            }
        }
    }
}

#[test]
fn an_engine_that_is_silent_and_one_that_refused() {
    let mut model = hive();
    model.silent = Some(Duration::from_secs(2));
    assert!(!screen(&mut model, 80, 8).contains("answered"));
    model.silent = Some(Duration::from_secs(17));
    model.note = Some(Note::bad("scout-1: the engine said no\u{1b}[2J"));
    insta::assert_snapshot!(screen(&mut model, 80, 8));
}

#[test]
fn without_colours_nothing_is_coloured_and_what_is_meant_is_still_seen() {
    for colour in [true, false] {
        let mut model = with_log();
        let terminal = drawn(&mut model, 80, 16, Looks::new(colour));
        let cells = &terminal.backend().buffer().content;
        let is_coloured =
            |cell: &ratatui::buffer::Cell| (cell.fg, cell.bg) != (Color::Reset, Color::Reset);
        assert_eq!(cells.iter().any(is_coloured), colour);
        let reversed = |cell: &ratatui::buffer::Cell| {
            cell.modifier.contains(ratatui::style::Modifier::REVERSED)
        };
        assert_eq!(cells.iter().filter(|cell| reversed(cell)).count(), 80);
    }
}

#[test]
fn a_long_list_shows_the_part_in_which_the_agent_is_that_is_meant() {
    let mut model = hive();
    let agents = (1..=100).map(|n| super::examples::agent(&format!("bee-{n}")));
    model.set_agents(agents.collect());
    model.select(|cursor, keys| cursor.set(keys, 41));
    let screen = screen(&mut model, 80, 10);
    assert!(
        screen.contains("bee-42") && !screen.contains("bee-43"),
        "{screen}"
    );
}
