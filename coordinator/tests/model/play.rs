//! What may be done to a coordinator, and in what measure.

use std::num::NonZeroU32;
use std::time::Duration;

use alveary_coordinator::{Bidders, NoBids, Recovery, Settings};
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

/// How many agents there are.
pub(crate) const AGENTS: u8 = 4;
pub(crate) const AUCTION: Duration = Duration::from_secs(15);
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(30);
pub(crate) const UNCLAIMED: Duration = Duration::from_secs(70);

/// What the coordinator is told before it begins. Nothing of it changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) bidders: Bidders,
    pub(crate) retries: u32,
    pub(crate) attempts: u32,
    pub(crate) recovery: Recovery,
}

impl Rules {
    pub(crate) fn settings(&self) -> Settings {
        Settings::default()
            .with_auction(AUCTION)
            .with_heartbeat(HEARTBEAT)
            .with_unclaimed(UNCLAIMED)
            .with_bidders(self.bidders)
            .with_no_bids(NoBids::Retry(self.retries))
            .with_attempts(NonZeroU32::new(self.attempts).unwrap())
            .with_recovery(self.recovery)
    }
}

/// One thing that is done. Numbers choose among what there is, whatever its number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Add {
        many: u8,
        sing: bool,
    },
    Register {
        agent: u8,
        sings: bool,
    },
    Bid {
        agent: u8,
        task: u8,
        sats: u8,
    },
    /// All agents bid for one task.
    Rush {
        task: u8,
        sats: [u8; AGENTS as usize],
    },
    /// Its agent names what it holds, or forgets it.
    Claim {
        agent: u8,
        forgets: bool,
    },
    /// Of any attempt that was ever claimed.
    Report {
        attempt: u8,
        done: bool,
        right: bool,
    },
    ReportAssigned {
        agent: Option<u8>,
        task: u8,
        done: bool,
    },
    Pulse {
        agent: u8,
        names: bool,
    },
    Alive {
        agent: u8,
    },
    Gone {
        agent: u8,
    },
    Cancel {
        task: u8,
    },
    Pass {
        millis: u64,
    },
    Restart,
}

/// Chooses steps. It knows nothing of what they lead to: that is the ledger's.
pub(crate) struct Play;

impl ReferenceStateMachine for Play {
    type State = Rules;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Rules> {
        let bidders = prop_oneof![3 => Just(Bidders::Known), 1 => Just(Bidders::Anybody)];
        let recovery = prop_oneof![4 => Just(Recovery::Reauction), 1 => Just(Recovery::Fail)];
        (bidders, 0..3_u32, 1..4_u32, recovery)
            .prop_map(|(bidders, retries, attempts, recovery)| Rules {
                bidders,
                retries,
                attempts,
                recovery,
            })
            .boxed()
    }

    fn transitions(_: &Rules) -> BoxedStrategy<Step> {
        let agent = || 0..AGENTS;
        let task = any::<u8>;
        let sats = || 1..5_u8;
        let millis = prop_oneof![
            Just(1),
            Just(5_000),
            Just(14_999),
            Just(15_000),
            Just(29_999),
            Just(30_000),
            Just(70_000),
            1..100_000_u64,
        ];
        prop_oneof![
            4 => (1..4_u8, any::<bool>()).prop_map(|(many, sing)| Step::Add { many, sing }),
            3 => (agent(), any::<bool>()).prop_map(|(agent, sings)| Step::Register { agent, sings }),
            8 => (agent(), task(), sats()).prop_map(|(agent, task, sats)| Step::Bid { agent, task, sats }),
            6 => (task(), [sats(), sats(), sats(), sats()])
                .prop_map(|(task, sats)| Step::Rush { task, sats }),
            10 => (agent(), prop::bool::weighted(0.3))
                .prop_map(|(agent, forgets)| Step::Claim { agent, forgets }),
            8 => (task(), any::<bool>(), prop::bool::weighted(0.9))
                .prop_map(|(attempt, done, right)| Step::Report { attempt, done, right }),
            2 => (prop::option::of(agent()), task(), any::<bool>())
                .prop_map(|(agent, task, done)| Step::ReportAssigned { agent, task, done }),
            4 => (agent(), prop::bool::weighted(0.8)).prop_map(|(agent, names)| Step::Pulse { agent, names }),
            2 => agent().prop_map(|agent| Step::Alive { agent }),
            2 => agent().prop_map(|agent| Step::Gone { agent }),
            1 => task().prop_map(|task| Step::Cancel { task }),
            6 => millis.prop_map(|millis| Step::Pass { millis }),
            2 => Just(Step::Restart),
        ]
        .boxed()
    }

    fn apply(rules: Rules, _: &Step) -> Rules {
        rules
    }
}
