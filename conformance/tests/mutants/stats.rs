//! Backends that misreport what agents use up.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alveary_core::*;
use async_trait::async_trait;
use futures_util::{StreamExt, stream};

use crate::flaw::{Flaw, Inner, cases};

cases! {
    CountsNothing: "stats::processor_time_is_counted_and_never_goes_back";
    GoesBack: "stats::processor_time_is_counted_and_never_goes_back";
    TellsTheUnknownAsZero: "stats::what_cannot_be_nothing_is_not_told_as_nothing";
    FollowsForEver: "stats::readings_follow_each_other_until_the_agent_has_ended";
    ReadsTheSameAgain: "stats::readings_follow_each_other_until_the_agent_has_ended";
    ReadsNobody: "stats::of_nobody_there_is_no_reading";
}

/// A flaw in one reading, or in what follows one another.
macro_rules! reads {
    ($flaw:ident, |$read:ident| $change:expr, |$readings:ident| $follow:expr) => {
        #[derive(Default)]
        struct $flaw(OnceLock<Inner>);

        impl Flaw for $flaw {
            fn stats<'a>(&'a self, inner: &'a Inner) -> Option<&'a dyn Stats> {
                self.0.get_or_init(|| inner.clone());
                Some(self)
            }
        }

        #[async_trait]
        impl Stats for $flaw {
            async fn read(&self, id: &AgentId) -> Result<Usage> {
                let inner = self.0.get().unwrap().stats().unwrap();
                let $read = inner.read(id).await;
                $change
            }
            async fn follow(&self, id: &AgentId, options: StatsOptions) -> Result<UsageStream> {
                let inner = self.0.get().unwrap().stats().unwrap();
                let $readings = inner.follow(id, options).await;
                $follow
            }
        }
    };
}

/// The same reading with another processor time.
fn with_cpu(usage: Result<Usage>, cpu: Duration) -> Result<Usage> {
    let mut usage = usage?;
    usage.cpu = Some(cpu);
    Ok(usage)
}

reads!(
    CountsNothing,
    |read| with_cpu(read, Duration::ZERO),
    |readings| readings
);

/// How often a reading went back, whoever asked.
static BACK: AtomicU64 = AtomicU64::new(1_000_000);

reads!(
    GoesBack,
    |read| {
        let cpu = Duration::from_millis(BACK.fetch_sub(1, Ordering::Relaxed));
        with_cpu(read, cpu)
    },
    |readings| readings
);

reads!(
    TellsTheUnknownAsZero,
    |read| {
        let mut usage = read?;
        usage.memory.get_or_insert_default();
        Ok(usage)
    },
    |readings| readings
);

reads!(FollowsForEver, |read| read, |readings| Ok(
    UsageStream::new(readings?.chain(stream::pending()))
));

reads!(ReadsTheSameAgain, |read| read, |readings| {
    let mut first = None;
    Ok(UsageStream::new(readings?.map(move |usage| {
        let usage = usage?;
        Ok(first.get_or_insert(usage).clone())
    })))
});

reads!(
    ReadsNobody,
    |read| Ok(read.unwrap_or_else(|_| Usage::new(Incarnation::random()))),
    |readings| readings
);
