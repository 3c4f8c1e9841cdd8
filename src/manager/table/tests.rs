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
