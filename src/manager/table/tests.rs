use alveary_core::AgentSpec;

use super::*;
use crate::manager::row::Merged;
use crate::state::Change;

fn running(id: &str, name: &str) -> AgentInfo {
    let id = AgentId::new(id).unwrap();
    AgentInfo::new(id, Incarnation::random(), name, AgentState::Running)
}

fn ids(table: &Table) -> Vec<String> {
    let agents = table.agents(|_| true);
    agents.iter().map(|agent| agent.id().to_string()).collect()
}

#[test]
fn what_is_heard_of_an_agent_after_its_removal_was_said_before_it() {
    let table = Table::new();
    let echo = running("a", "echo");
    table.started(echo.clone());
    let mark = table.mark();
    table.removed(&echo.id);
    // An event, an answer and a list that were on their way.
    assert_eq!(table.hear(echo.clone()), Merged::Nothing);
    table.learn(echo.clone(), mark);
    table.snapshot(vec![echo.clone()], mark);
    assert!(ids(&table).is_empty());
    assert_eq!(table.named("echo"), None);
    // Another start under the same id is another agent.
    let again = running("a", "echo");
    table.snapshot(vec![again], table.mark());
    assert_eq!(ids(&table), ["a"]);
}

#[test]
fn of_two_answers_the_one_to_the_later_question_counts_whichever_comes_first() {
    let table = Table::new();
    let echo = running("a", "echo");
    table.started(echo.clone());
    let (early, late) = (table.ask(), table.ask());
    let again = running("a", "echo");
    table.learn(again.clone(), late);
    table.learn(echo.clone(), early);
    let known = table.agent(&echo.id).unwrap().info.incarnation;
    assert_eq!(known, again.incarnation);

    let (early, late) = (table.ask(), table.ask());
    table.gone(&echo.id, late);
    table.learn(again, early);
    assert!(ids(&table).is_empty());
}

#[test]
fn an_answer_that_is_too_old_makes_no_younger_one_so() {
    let table = Table::new();
    let echo = running("a", "echo");
    table.started(echo.clone());
    let early = table.ask();
    // Another process has recorded something of it.
    let change = Change::Remove {
        id: echo.id.clone(),
    };
    let mut records = Records::default();
    records.apply(change);
    table.refresh(&Touched::These(vec![echo.id.clone()]), &records);
    let late = table.ask();
    assert_eq!(table.gone(&echo.id, early), Gone::TooOld);
    assert_eq!(table.gone(&echo.id, late), Gone::NotThere);
    assert!(ids(&table).is_empty());
}

#[test]
fn a_start_that_appears_after_a_list_without_it_is_no_old_news() {
    let table = Table::new();
    let echo = running("a", "echo");
    table.started(echo.clone());
    table.removed(&echo.id);
    table.snapshot(Vec::new(), table.mark());
    // An engine that was slow has it after all.
    table.snapshot(vec![echo], table.mark());
    assert_eq!(ids(&table), ["a"]);
}

#[test]
fn a_name_that_two_bear_is_the_recorded_ones_and_then_the_others() {
    let table = Table::new();
    let stray = running("stray", "echo");
    table.started(stray.clone());
    let own = running("own", "echo");
    table.started(own.clone());
    let mut records = Records::default();
    let record = Record::new(own.id.clone(), AgentSpec::new("echo", ["true"]));
    let put = Change::Put(Arc::new(record));
    let touched = Touched::by(std::slice::from_ref(&put));
    records.apply(put);
    table.refresh(&touched, &records);
    assert_eq!(table.named("echo").as_ref(), Some(&own.id));

    table.removed(&own.id);
    records.apply(Change::Remove { id: own.id.clone() });
    table.refresh(&touched, &records);
    assert_eq!(table.named("echo").as_ref(), Some(&stray.id));
    table.removed(&stray.id);
    assert_eq!(table.named("echo"), None);
}

/// How the same start stands that ended at this second, or began at it.
fn run(of: &AgentInfo, began: u64, ended: Option<u64>) -> AgentInfo {
    let at = |second| std::time::UNIX_EPOCH + std::time::Duration::from_secs(second);
    let mut info = of.clone();
    info.started_at = Some(at(began));
    if let Some(ended) = ended {
        let exit = Exit::new(
            alveary_core::ExitStatus::Code(0),
            alveary_core::EndedBy::Itself,
        );
        info.state = AgentState::Exited(exit.with_at(at(ended)));
    }
    info
}

#[test]
fn whom_the_engine_runs_once_more_past_us_runs() {
    let table = Table::new();
    let echo = running("a", "echo");
    table.started(echo.clone());
    let (first, ended) = (run(&echo, 1, None), run(&echo, 1, Some(3)));
    assert_eq!(table.hear(ended.clone()), Merged::Changed);
    table.note(&echo.id, |row| row.decided = row.incarnation());
    // What was said of the run that has ended is older than its end.
    assert_eq!(table.hear(first), Merged::Nothing);
    let again = run(&echo, 3, None);
    assert_eq!(table.hear(again.clone()), Merged::Changed);
    let runs = table.look(&echo.id, |row| row.running() == Running::Yes);
    assert_eq!(runs, Some(true));
    // Its next end is another, of which nothing is decided yet.
    assert_eq!(table.look(&echo.id, |row| row.decided), Some(None));
    assert_eq!(table.hear(run(&echo, 3, Some(5))), Merged::Changed);
    assert_eq!(table.hear(again), Merged::Nothing);
}

#[test]
fn whom_the_engine_does_not_know_any_more_has_ended_once_nobody_has_forgotten_it() {
    let table = Table::new();
    let mut echo = running("a", "echo");
    let record = Record::new(echo.id.clone(), AgentSpec::new("echo", ["true"]));
    echo.incarnation = record.incarnation;
    let mut records = Records::default();
    let put = Change::Put(Arc::new(record));
    let touched = Touched::by(std::slice::from_ref(&put));
    records.apply(put);
    table.refresh(&touched, &records);
    table.started(echo.clone());
    assert_eq!(table.gone(&echo.id, table.ask()), Gone::NotThere);
    let ended = || table.look(&echo.id, Row::exit).flatten();
    assert_eq!(ended(), None);
    assert_eq!(table.taken_away(), [echo.id.clone()]);
    let exit = ended().unwrap().to_string();
    assert!(exit.contains("somebody has removed it"), "{exit}");
    // The next list says the same.
    table.gone(&echo.id, table.ask());
    assert!(table.taken_away().is_empty() && ended().is_some());
    // Somebody brings up the very start that is recorded; and it is taken away once more.
    assert_eq!(table.hear(echo.clone()), Merged::Changed);
    assert!(ended().is_none());
    table.gone(&echo.id, table.ask());
    assert_eq!(table.taken_away(), [echo.id.clone()]);
    // What is not recorded any more is nobody.
    records.apply(Change::Remove {
        id: echo.id.clone(),
    });
    table.refresh(&touched, &records);
    table.gone(&echo.id, table.ask());
    assert!(ids(&table).is_empty());
}
