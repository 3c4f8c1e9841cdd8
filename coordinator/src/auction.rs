//! Who wins an auction, and when it may be over: nothing here knows of time, files or tasks.

use std::collections::{BTreeSet, HashSet};
use std::ops::Bound;

use alveary_agent::protocol::{Capabilities, Sats};
use alveary_core::AgentId;

/// The bids of one auction, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Auction {
    wanted: Capabilities,
    bids: Vec<Bid>,
    bidders: HashSet<AgentId>,
    /// Who was seen to be free and able and had not bid, the last time that somebody looked.
    waits_for: Option<AgentId>,
}

/// What one agent asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bid {
    pub(crate) agent: AgentId,
    pub(crate) sats: Sats,
}

impl Auction {
    /// An auction among those who can do what is wanted.
    pub(crate) fn new(wanted: Capabilities) -> Self {
        Self {
            wanted,
            ..Self::default()
        }
    }

    /// What a bidder must be able to do.
    pub(crate) fn wanted(&self) -> &Capabilities {
        &self.wanted
    }

    /// How many bids there are.
    pub(crate) fn len(&self) -> usize {
        self.bids.len()
    }

    /// Who has bid.
    pub(crate) fn bidders(&self) -> impl Iterator<Item = &AgentId> {
        self.bidders.iter()
    }

    /// Takes a bid. Each counts, also several of one agent.
    pub(crate) fn bid(&mut self, agent: AgentId, sats: Sats) {
        self.bidders.insert(agent.clone());
        self.bids.push(Bid { agent, sats });
    }

    /// The lowest bid of those who may win; the earliest among equals.
    pub(crate) fn winner(&self, may_win: impl Fn(&AgentId) -> bool) -> Option<&Bid> {
        let may_win = |bid: &&Bid| may_win(&bid.agent);
        // Of equal ones `min_by_key` takes the first.
        self.bids.iter().filter(may_win).min_by_key(|bid| bid.sats)
    }

    /// Whether nobody is left to wait for: somebody who is free could do it, and each of those has bid.
    ///
    /// Where all who could do it are at work, an auction goes on: the first who becomes free ends it. It begins where
    /// it ended the last time, so that the bids of a whole fleet cost one round through it and not one each.
    pub(crate) fn is_decided(
        &mut self,
        free: &BTreeSet<AgentId>,
        able: impl Fn(&AgentId) -> bool,
    ) -> bool {
        let waited_for = self.waits_for.take();
        let Some(from) = waited_for.as_ref().or_else(|| free.first()) else {
            return false;
        };
        let mut somebody = false;
        let after = free.range::<AgentId, _>((Bound::Included(from), Bound::Unbounded));
        let before = free.range::<AgentId, _>((Bound::Unbounded, Bound::Excluded(from)));
        for agent in after.chain(before).filter(|agent| able(agent)) {
            if !self.bidders.contains(agent) {
                self.waits_for = Some(agent.clone());
                return false;
            }
            somebody = true;
        }
        somebody
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agent(number: u8) -> AgentId {
        AgentId::new(format!("a{number}")).unwrap()
    }

    fn auction(bids: &[(u8, u64)]) -> Auction {
        let mut auction = Auction::default();
        for (number, sats) in bids {
            auction.bid(agent(*number), Sats::new(*sats).unwrap());
        }
        auction
    }

    proptest! {
        #[test]
        fn the_winner_is_the_first_of_the_lowest_among_those_who_may_win(
            bids in prop::collection::vec((0u8..6, 1u64..8), 0..24),
            barred in prop::collection::hash_set(0u8..6, 0..6),
        ) {
            let won = auction(&bids)
                .winner(|id| !barred.iter().any(|number| agent(*number) == *id))
                .cloned();
            // The same, by looking at each pair.
            let eligible: Vec<_> = bids.iter().filter(|(who, _)| !barred.contains(who)).collect();
            let expected = eligible.iter().enumerate().find(|(at, (_, sats))| {
                eligible[..*at].iter().all(|(_, earlier)| earlier > sats)
                    && eligible[at + 1..].iter().all(|(_, later)| later >= sats)
            });
            match (won, expected) {
                (None, None) => prop_assert!(eligible.is_empty()),
                (Some(won), Some((_, (who, sats)))) => {
                    prop_assert_eq!(won.agent, agent(*who));
                    prop_assert_eq!(won.sats.get(), *sats);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }

        #[test]
        fn an_auction_is_decided_when_all_who_are_free_have_bid_and_somebody_is_free(
            bids in prop::collection::vec((0u8..6, 1u64..8), 0..12),
            free in prop::collection::btree_set(0u8..6, 0..6),
        ) {
            let ids = free.iter().map(|number| agent(*number)).collect();
            let silent = free.iter().filter(|number| !bids.iter().any(|(who, _)| who == *number));
            let expected = !free.is_empty() && silent.count() == 0;
            prop_assert_eq!(auction(&bids).is_decided(&ids, |_| true), expected);
        }

        #[test]
        fn who_was_waited_for_before_makes_no_difference(
            steps in prop::collection::vec(
                (prop::collection::btree_set(0u8..6, 0..6), prop::collection::hash_set(0u8..6, 0..6), 0u8..6),
                1..12,
            ),
        ) {
            let mut one = Auction::default();
            for (free, able, bidder) in steps {
                let free: BTreeSet<_> = free.into_iter().map(agent).collect();
                let able: HashSet<_> = able.into_iter().map(agent).collect();
                let mut fresh = Auction { waits_for: None, ..one.clone() };
                let able = |agent: &AgentId| able.contains(agent);
                prop_assert_eq!(one.is_decided(&free, able), fresh.is_decided(&free, able));
                one.bid(agent(bidder), Sats::MIN);
            }
        }

        #[test]
        fn another_bid_never_makes_a_winner_dearer(
            bids in prop::collection::vec((0u8..6, 1u64..8), 1..12),
            more in (0u8..6, 1u64..8),
        ) {
            let mut auction = auction(&bids);
            let before = auction.winner(|_| true).cloned().unwrap();
            auction.bid(agent(more.0), Sats::new(more.1).unwrap());
            let after = auction.winner(|_| true).cloned().unwrap();
            prop_assert!(after.sats <= before.sats);
            prop_assert!(after.sats < before.sats || after == before);
        }
    }
}
