//! How many requests a caller may make.

use std::net::IpAddr;
use std::time::Duration;

use alveary_core::AgentId;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::super::settings::Rate;
use super::caller::Caller;

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Counted {
    Admin,
    Agent(AgentId),
    Address(Option<IpAddr>),
}

/// Counts requests by caller. An agent that runs wild uses up its own share, and nobody else's.
#[derive(Debug)]
pub(crate) struct Limiter {
    callers: DefaultKeyedRateLimiter<Counted>,
    clock: DefaultClock,
}

/// How many callers are remembered before those that have been quiet are forgotten.
const REMEMBERED: usize = 4_096;

impl Limiter {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            callers: RateLimiter::keyed(Quota::per_second(rate.per_second).allow_burst(rate.burst)),
            clock: DefaultClock::default(),
        }
    }

    /// Lets a request in, or says how long its caller has to wait.
    pub(crate) fn admit(&self, caller: &Caller, from: Option<IpAddr>) -> Result<(), Duration> {
        if self.callers.len() > REMEMBERED {
            self.callers.retain_recent();
        }
        let counted = match caller {
            Caller::Admin => Counted::Admin,
            Caller::Agent(id) => Counted::Agent(id.clone()),
            Caller::Session | Caller::Nobody => Counted::Address(from),
        };
        self.callers
            .check_key(&counted)
            .map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn one_caller_s_burst_leaves_the_others_alone() {
        let limiter = Limiter::new(Rate {
            per_second: NonZeroU32::new(1).unwrap(),
            burst: NonZeroU32::new(2).unwrap(),
        });
        let wild = Caller::Agent(AgentId::new("wild").unwrap());
        let calm = Caller::Agent(AgentId::new("calm").unwrap());
        assert!(limiter.admit(&wild, None).is_ok());
        assert!(limiter.admit(&wild, None).is_ok());
        let wait = limiter.admit(&wild, None).unwrap_err();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert!(limiter.admit(&calm, None).is_ok());
        assert!(limiter.admit(&Caller::Nobody, None).is_ok());
    }
}
