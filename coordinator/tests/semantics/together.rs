//! Turns that wait together share one commit: each can fail alone, and nobody is answered before it.

use std::fmt::Debug;
use std::path::Path;
use std::pin::pin;

use alveary_agent::protocol::{
    BidAnswer, BidView, EventId, Happening, NewBid, ProblemKind, TaskId, TaskStatus,
};
use alveary_coordinator::{Error, Result, Settings};
use futures_util::future::{FutureExt as _, join_all};
use rusqlite::Connection;
use tempfile::TempDir;

use super::bed::{AUCTION, Bed, agent, book, sats, stands};

/// What the file will not have from anybody.
const BAD: u64 = 666;

/// A coordinator, another who has its file open, and a task whose auction goes on.
struct Crowd {
    bed: Bed,
    other: Connection,
    task: TaskId,
    folder: TempDir,
}

impl Crowd {
    async fn gather() -> Self {
        let (folder, path) = book();
        let bed = Bed::file(Settings::default(), &path).await;
        for id in ["a", "b", "c", "d", "silent"] {
            bed.register(id, "").await;
        }
        Self {
            task: bed.give("").await,
            other: Connection::open(&path).unwrap(),
            bed,
            folder,
        }
    }

    async fn bid(&self, id: &str, amount: u64) -> Result<BidAnswer> {
        let bid = NewBid::new(self.task, agent(id), sats(amount));
        self.bed.coordinator.bid(bid).await
    }

    /// Bids that wait while somebody else writes into the file, and so are taken together when that is over.
    async fn bid_together(&self, bids: &[(&str, u64)]) -> Vec<Result<BidAnswer>> {
        self.together(bids.iter().map(|(id, amount)| self.bid(id, *amount)))
            .await
    }

    async fn together<T: Debug>(
        &self,
        all: impl IntoIterator<Item = impl Future<Output = T>>,
    ) -> Vec<T> {
        self.other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut all = pin!(join_all(all));
        assert!((&mut all).now_or_never().is_none(), "they do not wait");
        self.other.execute_batch("ROLLBACK").unwrap();
        all.await
    }

    /// How many transactions the file's log holds.
    fn commits(&self) -> usize {
        let log = std::fs::read(self.folder.path().join("book-wal")).unwrap();
        let (head, frames) = log.split_at(32);
        let page = u32::from_be_bytes(head[8..12].try_into().unwrap());
        frames
            .chunks_exact(24 + page as usize)
            // Each repeats what the log begins with, or is left from an earlier one. The last frame of a transaction
            // says how long the file is.
            .filter(|frame| frame[8..16] == head[16..24] && frame[4..8] != [0; 4])
            .count()
    }

    /// How many bids the file holds, as others see it.
    fn seen(&self) -> usize {
        let count = "SELECT count(*) FROM bids";
        self.other.query_row(count, [], |row| row.get(0)).unwrap()
    }

    /// Who bid after an event, by what followers hear.
    async fn heard(&self, after: EventId) -> Vec<String> {
        let happened = self.bed.happened(after).await;
        let ids: Vec<_> = happened.iter().map(|event| event.id.0).collect();
        assert_eq!(
            ids,
            (after.0 + 1..=after.0 + ids.len() as u64).collect::<Vec<_>>()
        );
        let bidder = |what| match what {
            Happening::BidPlaced { agent, .. } => Some(agent.to_string()),
            _ => None,
        };
        happened
            .into_iter()
            .filter_map(|event| bidder(event.what))
            .collect()
    }

    async fn latest(&self) -> EventId {
        self.bed.coordinator.metrics().await.unwrap().latest_event
    }

    async fn bidders(&self) -> Vec<String> {
        let bids = self.bed.coordinator.bids(self.task).await.unwrap();
        bids.iter()
            .map(|bid: &BidView| bid.agent_id.to_string())
            .collect()
    }
}

/// Has the file do something about a bad bid.
fn punish(file: &Connection, how: &str) {
    let trigger = format!(
        "CREATE TABLE doom (task TEXT REFERENCES tasks (id) DEFERRABLE INITIALLY DEFERRED);
         CREATE TRIGGER punish AFTER INSERT ON bids WHEN new.sats = {BAD} BEGIN {how}; END"
    );
    file.execute_batch(&trigger).unwrap();
}

fn told(answer: &Result<BidAnswer>) -> Result<bool, String> {
    answer
        .as_ref()
        .map(|answer| answer.accepted)
        .map_err(Error::to_string)
}

#[tokio::test(start_paused = true)]
async fn turns_that_wait_together_are_one_commit_in_the_order_in_which_they_came() {
    let crowd = Crowd::gather().await;
    let (before, commits) = (crowd.latest().await, crowd.commits());
    let order = ["c", "a", "d", "b", "a"];
    let answers = crowd.bid_together(&order.map(|id| (id, 10))).await;
    assert!(
        answers.iter().all(|answer| told(answer) == Ok(true)),
        "{answers:?}"
    );
    assert_eq!(crowd.commits(), commits + 1);
    assert_eq!(crowd.bidders().await, order);
    assert_eq!(crowd.heard(before).await, order);
    // Of equal bids the one that came first.
    crowd.bed.pass(AUCTION).await;
    let view = crowd.bed.view(crowd.task).await;
    assert_eq!(stands(&view), (TaskStatus::Assigned, Some("c"), None));
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_takes_no_other_with_it() {
    let crowd = Crowd::gather().await;
    punish(&crowd.other, "SELECT raise(ABORT, 'not today')");
    let before = crowd.latest().await;
    let bids = [("a", 10), ("b", BAD), ("c", 9)];
    let answers = crowd.bid_together(&bids).await;
    assert_eq!(told(&answers[0]), Ok(true));
    let error = answers[1].as_ref().unwrap_err();
    assert_eq!(error.kind(), ProblemKind::Internal);
    assert!(error.to_string().contains("not today"), "{error}");
    assert_eq!(told(&answers[2]), Ok(true));
    assert_eq!(crowd.bidders().await, ["a", "c"]);
    assert_eq!(crowd.heard(before).await, ["a", "c"]);
    assert_eq!(crowd.seen(), 2);
    // What is open was read anew, with what came before in the same transaction.
    crowd.bed.pass(AUCTION).await;
    let view = crowd.bed.view(crowd.task).await;
    assert_eq!(stands(&view), (TaskStatus::Assigned, Some("c"), None));
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_fails_is_told_to_all_who_share_it_and_leaves_nothing_of_them() {
    let crowd = Crowd::gather().await;
    // Nothing is wrong with it until the end of the transaction.
    punish(&crowd.other, "INSERT INTO doom VALUES ('nowhere')");
    let (before, commits) = (crowd.latest().await, crowd.commits());
    let bids = [("a", 1), ("b", BAD), ("c", 2)];
    let answers = crowd.bid_together(&bids).await;
    for answer in &answers {
        let error = answer.as_ref().unwrap_err();
        assert_eq!(error.kind(), ProblemKind::Internal);
        assert!(error.to_string().contains("FOREIGN KEY"), "{error}");
    }
    assert_eq!(crowd.commits(), commits);
    assert_eq!(crowd.seen(), 0);
    assert_eq!(crowd.latest().await, before);
    assert_eq!(crowd.bidders().await, [""; 0]);
    // And the next are as if they had never been.
    assert_eq!(told(&crowd.bid("d", 10).await), Ok(true));
    assert_eq!(crowd.heard(before).await, ["d"]);
    crowd.bed.pass(AUCTION).await;
    let view = crowd.bed.view(crowd.task).await;
    assert_eq!(stands(&view), (TaskStatus::Assigned, Some("d"), None));
}

#[tokio::test(start_paused = true)]
async fn what_the_file_undoes_by_itself_is_told_to_those_before_and_not_to_those_after() {
    let crowd = Crowd::gather().await;
    // As it does when its disk is full.
    punish(&crowd.other, "SELECT raise(ROLLBACK, 'not today')");
    let before = crowd.latest().await;
    let bids = [("a", 1), ("b", BAD), ("c", 9)];
    let answers = crowd.bid_together(&bids).await;
    for lost in &answers[..2] {
        assert!(lost.is_err(), "{answers:?}");
    }
    assert_eq!(told(&answers[2]), Ok(true));
    assert_eq!(crowd.bidders().await, ["c"]);
    assert_eq!(crowd.heard(before).await, ["c"]);
    assert_eq!(crowd.seen(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_looks_among_those_who_write_is_not_told_what_is_undone_and_does_not_fail_with_it() {
    let crowd = Crowd::gather().await;
    punish(&crowd.other, "INSERT INTO doom VALUES ('nowhere')");
    let looks = async || crowd.bed.coordinator.bids(crowd.task).await.unwrap().len();
    let write = async |amount| crowd.bid("a", amount).await.map_or(0, |_| 1);
    let told = crowd
        .together([
            write(1).boxed_local(),
            looks().boxed_local(),
            write(BAD).boxed_local(),
            looks().boxed_local(),
        ])
        .await;
    assert_eq!(told, [0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_answered_is_found_in_the_file_by_anybody() {
    let crowd = Crowd::gather().await;
    let file: &Path = &crowd.folder.path().join("book");
    let bid_and_see = async |amount: u64| {
        let others = Connection::open(file).unwrap();
        assert!(crowd.bid("a", amount).await.unwrap().accepted);
        let count = "SELECT count(*) FROM bids WHERE sats = ?1";
        others
            .query_row(count, [amount], |row| row.get::<_, usize>(0))
            .unwrap()
    };
    for round in 0..20 {
        let bids = (1..=10).map(|one| bid_and_see(round * 10 + one).boxed_local());
        assert_eq!(crowd.together(bids).await, [1; 10]);
    }
}
