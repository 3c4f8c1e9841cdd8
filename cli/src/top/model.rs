//! What the screen shows. Whatever is heard changes it; nothing in here asks, waits or draws.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use alveary::{AgentId, Escaped};
use ratatui::layout::Rect;

use super::cursor::Cursor;
use super::draw::Places;
use super::log::{Log, Wanted};
use super::row::{Row, Used};
use super::tasks::Tasks;
use crate::failure::without_numbers;

/// From when on it is said that the engine is silent: what takes longer is no usual answer.
pub(super) const SILENT: Duration = Duration::from_secs(3);

/// All that can be seen, and what is meant by whoever looks.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) swarm: String,
    /// Empty until it is known.
    pub(crate) backend: String,
    /// Whether the swarm was ever brought up.
    pub(crate) is_there: bool,
    /// Whether somebody restarts agents.
    pub(crate) is_supervised: bool,
    pub(crate) now: SystemTime,
    /// For how long the engine has owed an answer.
    pub(crate) silent: Option<Duration>,
    /// Why what is shown is not how it stands now.
    pub(crate) trouble: Option<String>,
    /// All agents, in the order of the file.
    pub(crate) agents: Vec<Row>,
    pub(crate) used: HashMap<AgentId, Used>,
    /// Where a coordinator runs.
    pub(crate) tasks: Option<Tasks>,
    pub(crate) tab: Tab,
    pub(crate) filter: String,
    pub(crate) order: Order,
    /// What was said last of what was asked for.
    pub(crate) note: Option<Note>,
    pub(crate) over: Over,
    pub(crate) log: Log,
    pub(crate) log_is_open: bool,
    pub(crate) of_agents: Cursor,
    pub(crate) of_tasks: Cursor,
    /// Where everything is on the screen.
    pub(crate) places: Places,
}

/// What the list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tab {
    #[default]
    Agents,
    Tasks,
}

/// By what agents are put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Order {
    pub(crate) by: Column,
    pub(crate) reversed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Column {
    /// As in the file.
    #[default]
    Name,
    State,
    Ready,
    Restarts,
    Age,
    Cpu,
    Memory,
    Pids,
    Status,
}

/// What lies over the list, or takes the keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Over {
    #[default]
    Nothing,
    Help,
    /// The filter is typed. The one before is kept.
    Filter(String),
    /// Whether this agent is to be stopped.
    Stop(AgentId, String),
}

/// A sentence in the last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) what: String,
    pub(crate) is_bad: bool,
}

impl Note {
    pub(crate) fn good(what: impl fmt::Display) -> Self {
        Self {
            what: Escaped(&format!("{what}")).to_string(),
            is_bad: false,
        }
    }

    pub(crate) fn bad(what: impl fmt::Display) -> Self {
        Self {
            is_bad: true,
            ..Self::good(without_numbers(&what.to_string()))
        }
    }
}

impl Model {
    /// Nothing that is known yet.
    pub(crate) fn new(swarm: impl Into<String>) -> Self {
        Self {
            swarm: swarm.into(),
            backend: String::new(),
            is_there: true,
            is_supervised: true,
            now: SystemTime::now(),
            silent: None,
            trouble: None,
            agents: Vec::new(),
            used: HashMap::new(),
            tasks: None,
            tab: Tab::Agents,
            filter: String::new(),
            order: Order::default(),
            note: None,
            over: Over::Nothing,
            log: Log::default(),
            log_is_open: false,
            of_agents: Cursor::default(),
            of_tasks: Cursor::default(),
            places: Places::default(),
        }
    }

    /// Takes the agents as they are now.
    pub(crate) fn set_agents(&mut self, agents: Vec<Row>) {
        let unheard = |row: &Row| row.state == "unknown";
        self.trouble = agents
            .iter()
            .find(|row| unheard(row))
            .filter(|_| agents.iter().all(|row| row.is_settled || unheard(row)))
            .map(|row| format!("the engine cannot be heard: {}", row.status));
        self.agents = agents;
    }

    /// Takes the tasks as they are now; where that cannot be known, those that were known last stay.
    pub(crate) fn set_tasks(&mut self, tasks: Tasks) {
        match &mut self.tasks {
            Some(known) if tasks.trouble.is_some() => known.trouble = tasks.trouble,
            known => *known = Some(tasks),
        }
    }

    /// What is to be looked for, in small letters.
    fn wanted(&self) -> String {
        self.filter.to_lowercase()
    }

    /// The agents that are shown, in the order in which they are.
    pub(crate) fn rows(&self) -> Vec<&Row> {
        let wanted = self.wanted();
        let mut rows: Vec<&Row> = self.agents.iter().filter(|row| row.has(&wanted)).collect();
        // Stable: who is equal stays in the order of the file.
        rows.sort_by(|one, other| self.compare(one, other));
        if self.order.reversed {
            rows.reverse();
        }
        rows
    }

    fn compare(&self, one: &Row, other: &Row) -> Ordering {
        let used = |row: &Row| self.used_by(row);
        // What is much comes first: that is what one looks for.
        match self.order.by {
            Column::Name => Ordering::Equal,
            Column::State => one.state.cmp(other.state),
            Column::Ready => one.ready.cmp(&other.ready),
            Column::Restarts => other.restarts.cmp(&one.restarts),
            Column::Age => other.since.cmp(&one.since),
            Column::Cpu => {
                let cpu = |row| used(row).cpu.unwrap_or(-1.0);
                cpu(other).total_cmp(&cpu(one))
            }
            Column::Memory => used(other).memory.cmp(&used(one).memory),
            Column::Pids => used(other).pids.cmp(&used(one).pids),
            Column::Status => one.status.cmp(&other.status),
        }
    }

    /// What an agent uses up, as far as that is known.
    pub(crate) fn used_by(&self, row: &Row) -> Used {
        match row.state {
            "exited" | "failed" => Used::default(),
            _ => self.used.get(&row.id).copied().unwrap_or_default(),
        }
    }

    /// The tasks that are shown.
    pub(crate) fn task_rows(&self) -> Vec<&super::tasks::Task> {
        let wanted = self.wanted();
        let tasks = self.tasks.iter().flat_map(|tasks| &tasks.list);
        tasks.filter(|task| task.has(&wanted)).collect()
    }

    /// The agent that is meant.
    pub(crate) fn selected(&self) -> Option<&Row> {
        let rows = self.rows();
        let keys: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        self.of_agents.of(&keys).map(|place| rows[place])
    }

    /// Moves what is meant.
    pub(crate) fn select(&mut self, how: impl FnOnce(&mut Cursor, &[&str])) {
        match self.tab {
            Tab::Agents => {
                let mut cursor = std::mem::take(&mut self.of_agents);
                let rows = self.rows();
                let keys: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
                how(&mut cursor, &keys);
                self.of_agents = cursor;
            }
            Tab::Tasks => {
                let mut cursor = std::mem::take(&mut self.of_tasks);
                let rows = self.task_rows();
                let keys: Vec<&str> = rows.iter().map(|row| &*row.id).collect();
                how(&mut cursor, &keys);
                self.of_tasks = cursor;
            }
        }
    }

    /// Makes ready for a screen of this size.
    pub(crate) fn fit(&mut self, screen: Rect) {
        self.places = Places::of(screen, self);
        let room = self.places.rows();
        self.select(|cursor, keys| cursor.fit(keys, room));
    }

    /// Whose output is to be read; none where none is shown.
    pub(crate) fn wanted_log(&self) -> Option<Wanted> {
        if !self.log_is_open || self.tab != Tab::Agents {
            return None;
        }
        let row = self.selected()?;
        let read = self.log.of.as_ref().filter(|of| of.id == row.id);
        Some(Wanted {
            id: row.id.clone(),
            name: row.name.clone(),
            start: match read {
                // It is followed from one start to the next, until it has ended for good.
                Some(read) if self.log.end.is_none() || row.is_settled => read.start,
                _ => Some(row.start),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use alveary::Incarnation;

    use super::super::draw::examples::{agent, hive};
    use super::*;

    #[test]
    fn what_the_system_calls_its_error_is_said_without_its_number() {
        let absent = std::io::Error::from_raw_os_error(2);
        let note = Note::bad(format!("scout: {absent}"));
        assert_eq!(note.what, "scout: No such file or directory");
    }

    fn names(model: &Model) -> Vec<&str> {
        model.rows().iter().map(|row| &*row.name).collect()
    }

    #[test]
    fn agents_are_in_the_order_that_was_asked_for_and_in_that_of_the_file_where_they_are_equal() {
        let mut model = hive();
        assert_eq!(names(&model), ["scout-1", "scout-2", "moody", "brief"]);
        for (by, first) in [
            (Column::Memory, ["scout-2", "scout-1", "moody", "brief"]),
            (Column::Cpu, ["scout-1", "scout-2", "moody", "brief"]),
            (Column::Restarts, ["moody", "scout-1", "scout-2", "brief"]),
            (Column::Age, ["scout-2", "moody", "scout-1", "brief"]),
        ] {
            model.order = Order {
                by,
                reversed: false,
            };
            assert_eq!(names(&model), first, "{by:?}");
        }
        model.order.reversed = true;
        assert_eq!(names(&model)[0], "brief");
    }

    #[test]
    fn a_filter_looks_at_names_and_states_in_either_case() {
        let mut model = hive();
        for (filter, found) in [
            ("SCOUT", &["scout-1", "scout-2"][..]),
            ("exited", &["brief"]),
            ("nobody", &[]),
        ] {
            filter.clone_into(&mut model.filter);
            assert_eq!(names(&model), found, "{filter}");
        }
    }

    #[test]
    fn where_nobody_who_lives_is_heard_it_is_the_engine() {
        let mut model = hive();
        let mut agents = model.agents.clone();
        for row in agents.iter_mut().filter(|row| !row.is_settled) {
            row.state = "unknown";
            row.status = "no route".to_owned();
        }
        model.set_agents(agents.clone());
        let trouble = model.trouble.as_deref();
        assert_eq!(trouble, Some("the engine cannot be heard: no route"));
        agents[0].state = "running";
        model.set_agents(agents);
        assert_eq!(model.trouble, None);
    }

    #[test]
    fn the_output_of_one_that_ended_for_good_is_read_anew_once_it_is_started_again() {
        let mut model = hive();
        model.log_is_open = true;
        let first = model.wanted_log().unwrap();
        model.log = Log::of(first.clone());
        // It is restarted, and followed all the same.
        model.agents[0].start = Incarnation::random();
        assert_eq!(model.wanted_log().unwrap(), first);
        model.agents[0].is_settled = true;
        model.log.end("it has ended").unwrap();
        assert_eq!(model.wanted_log().unwrap(), first);
        let again = agent("scout-1");
        model.agents[0] = again;
        assert_ne!(model.wanted_log().unwrap(), first);
    }
}
