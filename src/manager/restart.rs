//! Whether an agent that has ended is started again, and when: a decision without a clock or an engine.

use std::collections::VecDeque;
use std::time::Duration;

use alveary_core::{EndedBy, Exit, Restart, RestartBy, RestartPolicy};
use tokio::time::Instant;

/// The restarts of one agent that still count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct History(VecDeque<Instant>);

/// What is to be done about an agent that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is started again after this pause.
    After(Duration),
    /// It has been restarted as often as its policy allows.
    UsedUp,
}

impl History {
    /// Goes on from what an earlier restarter recorded: so long ago, each.
    pub(crate) fn from_ages(ages: impl IntoIterator<Item = Duration>, now: Instant) -> Self {
        let mut times: Vec<_> = ages
            .into_iter()
            .filter_map(|age| now.checked_sub(age))
            .collect();
        times.sort_unstable();
        Self(times.into())
    }

    /// How many restarts count now.
    pub(crate) fn count(&mut self, policy: &Restart, now: Instant) -> usize {
        while let Some(first) = self.0.front()
            && now.saturating_duration_since(*first) >= policy.within
        {
            self.0.pop_front();
        }
        self.0.len()
    }

    /// Decides on one more restart, and counts it where there is to be one. `chance` is from 0 to 1 and
    /// spreads the pause by a quarter to either side.
    ///
    /// An agent that ran for as long as the window before it ended begins anew by this alone: all its
    /// restarts lie further back.
    pub(crate) fn next(&mut self, policy: &Restart, now: Instant, chance: f64) -> Decision {
        let counted = self.count(policy, now);
        if counted >= usize::try_from(policy.max).unwrap_or(usize::MAX) {
            return Decision::UsedUp;
        }
        self.0.push_back(now);
        let doublings = u32::try_from(counted).unwrap_or(u32::MAX).min(31);
        let pause = policy.delay.saturating_mul(1 << doublings);
        let jitter = 0.75 + chance.clamp(0.0, 1.0) / 2.0;
        Decision::After(
            pause
                .min(policy.max_delay)
                .mul_f64(jitter)
                .min(policy.max_delay),
        )
    }
}

/// Whether it is for us to start an agent again that ended like this. One that is left to its engine has ended
/// when the engine says so, and for good.
pub(crate) fn wants(restart: &Restart, exit: &Exit) -> bool {
    if restart.by != RestartBy::Supervisor {
        return false;
    }
    match restart.policy {
        RestartPolicy::Always => true,
        RestartPolicy::OnFailure => {
            !exit.is_success() && !matches!(exit.by, EndedBy::Us | EndedBy::UsByForce)
        }
        _ => false,
    }
}

/// Whether it is for us to start an agent again that did not answer any more.
pub(crate) fn may(restart: &Restart) -> bool {
    restart.by == RestartBy::Supervisor
        && matches!(
            restart.policy,
            RestartPolicy::OnFailure | RestartPolicy::Always
        )
}

/// The sentence for an agent whose restarts are used up.
pub(crate) fn used_up(policy: &Restart, last: &str) -> String {
    format!(
        "restarts used up: {} within {}, and then it {last}",
        policy.max,
        humantime::format_duration(policy.within)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use alveary_core::ExitStatus;
    use proptest::prelude::*;

    fn exit(status: ExitStatus, by: EndedBy) -> Exit {
        Exit::new(status, by)
    }

    #[test]
    fn each_policy_restarts_what_it_says() {
        let success = exit(ExitStatus::Code(0), EndedBy::Itself);
        let failure = exit(ExitStatus::Code(7), EndedBy::Itself);
        let stopped = exit(ExitStatus::Code(143), EndedBy::Us);
        let forced = exit(
            ExitStatus::Signal(alveary_core::Signal::KILL),
            EndedBy::UsByForce,
        );
        let lost = Exit::unknown("a reboot");
        let (never, on_failure, always) =
            (Restart::never(), Restart::on_failure(), Restart::always());
        let by_engine = Restart::always().by_engine();
        for (restart, of, restarted) in [
            (&never, &failure, false),
            (&on_failure, &success, false),
            (&on_failure, &failure, true),
            (&on_failure, &stopped, false),
            (&on_failure, &forced, false),
            (&on_failure, &lost, true),
            (&always, &success, true),
            (&always, &stopped, true),
            (&by_engine, &failure, false),
        ] {
            assert_eq!(wants(restart, of), restarted, "{restart:?}, {of}");
        }
    }

    #[test]
    fn the_pause_doubles_up_to_its_cap() {
        let policy = Restart::always()
            .at_most(8, Duration::from_mins(10))
            .delay(Duration::from_secs(1), Duration::from_secs(10));
        let mut history = History::default();
        let now = Instant::now();
        let pauses: Vec<_> = (0..8)
            .map(|_| match history.next(&policy, now, 0.5) {
                Decision::After(pause) => pause.as_secs(),
                Decision::UsedUp => u64::MAX,
            })
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10, 10, 10]);
        assert_eq!(history.next(&policy, now, 0.5), Decision::UsedUp);
    }

    #[test]
    fn a_healthy_stretch_begins_anew() {
        let policy = Restart::always().at_most(1, Duration::from_mins(1));
        let start = Instant::now();
        let mut history = History::default();
        assert!(matches!(
            history.next(&policy, start, 0.5),
            Decision::After(_)
        ));
        let soon = start + Duration::from_secs(59);
        assert_eq!(history.clone().next(&policy, soon, 0.5), Decision::UsedUp);
        let later = start + Duration::from_mins(1);
        assert_eq!(
            history.next(&policy, later, 0.5),
            Decision::After(policy.delay)
        );
    }

    #[test]
    fn a_new_restarter_goes_on_counting() {
        let policy = Restart::always().at_most(2, Duration::from_mins(1));
        let now = Instant::now() + Duration::from_hours(1);
        let mut history = History::from_ages([1, 2].map(Duration::from_secs), now);
        assert_eq!(history.next(&policy, now, 0.5), Decision::UsedUp);
        let mut old = History::from_ages([61, 3600].map(Duration::from_secs), now);
        assert_eq!(old.count(&policy, now), 0);
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_restarts_than_allowed(
            max in 0u32..6,
            within in 1u64..100,
            steps in proptest::collection::vec((0u64..50, 0.0f64..=1.0), 1..60),
        ) {
            let policy = Restart::always()
                .at_most(max, Duration::from_secs(within))
                .delay(Duration::from_millis(500), Duration::from_secs(30));
            let mut now = Instant::now();
            let mut history = History::default();
            let mut restarts: Vec<Instant> = Vec::new();
            for (step, chance) in steps {
                now += Duration::from_secs(step);
                if let Decision::After(pause) = history.next(&policy, now, chance) {
                    prop_assert!(pause <= policy.max_delay);
                    prop_assert!(pause >= policy.delay.mul_f64(0.75));
                    restarts.push(now);
                }
                let in_window = restarts
                    .iter()
                    .filter(|at| now.duration_since(**at) < policy.within)
                    .count();
                prop_assert!(in_window <= max as usize);
            }
        }

        #[test]
        fn a_pause_is_never_shorter_than_the_one_before_it_by_more_than_the_jitter(
            count in 0usize..40,
            chance in 0.0f64..=1.0,
        ) {
            let policy = Restart::always()
                .at_most(u32::MAX, Duration::from_secs(1000))
                .delay(Duration::from_millis(10), Duration::from_secs(5));
            let now = Instant::now();
            let mut history = History(std::iter::repeat_n(now, count).collect());
            let mut next = || match history.next(&policy, now, chance) {
                Decision::After(pause) => pause,
                Decision::UsedUp => Duration::ZERO,
            };
            let first = next();
            prop_assert!(next() >= first);
        }
    }
}
