//! A coordinator on a file, driven at random and restarted in between, beside a ledger that takes its word for nothing.
//!
//! The ledger follows the events alone, and knows what was said and when. Each event must be one that may happen then;
//! after each step nothing may be left undone that is due; and what the coordinator tells from memory, what it tells
//! from its file, and what the events add up to must be one and the same.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

#[path = "model/ledger.rs"]
mod ledger;
#[path = "model/play.rs"]
mod play;
#[path = "model/world.rs"]
mod world;

use proptest::test_runner::Config;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use play::{Play, Rules, Step};
use world::World;

/// How many games are played: more by `PROPTEST_CASES`.
fn config() -> Config {
    let more = std::env::var_os("PROPTEST_CASES").is_some();
    let config = Config::default();
    Config {
        cases: if more { config.cases } else { 24 },
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..config
    }
}

struct Game;

impl StateMachineTest for Game {
    type SystemUnderTest = World;
    type Reference = Play;

    fn init_test(rules: &Rules) -> World {
        World::new(*rules)
    }

    fn apply(mut world: World, _: &Rules, step: Step) -> World {
        world.take(step);
        world
    }

    fn teardown(world: World, _: <Play as ReferenceStateMachine>::State) {
        world.end();
    }
}

prop_state_machine! {
    #![proptest_config(config())]

    #[test]
    fn whatever_happens_each_task_is_done_once_or_ends_and_none_is_lost(sequential 20..120 => Game);
}
