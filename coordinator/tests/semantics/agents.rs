//! Who is here, and what they do.

use alveary_agent::protocol::{AgentStatus, EventId, Happening, Registration, TaskStatus};
use alveary_coordinator::{Bidders, Settings};

use super::bed::{AUCTION, Bed, HEARTBEAT, TICK, agent, short_of};

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_not_known_is_entered_by_its_bid() {
    for bidders in [Bidders::Known, Bidders::Anybody] {
        let bed = Bed::open(Settings::default().with_bidders(bidders)).await;
        let task = bed.give("sing").await;
        assert!(bed.bid_as("stranger", "sing", task, 10).await.accepted);
        let agents = bed.coordinator.agents().await.unwrap();
        assert_eq!(agents.len(), 1);
        assert_eq!(agents[0].id, agent("stranger"));
        assert_eq!(agents[0].name, "stranger");
        assert_eq!(agents[0].capabilities.to_string(), "sing");
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_agent_says_of_itself_last_is_what_holds() {
    let bed = Bed::open(Settings::default()).await;
    bed.register("a", "sing").await;
    let before = bed.coordinator.agents().await.unwrap();
    bed.pass(TICK).await;
    bed.register("a", "dance").await;
    let after = bed.coordinator.agents().await.unwrap();
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].capabilities.to_string(), "dance");
    assert_eq!(after[0].registered_at, before[0].registered_at);
    let latest = bed.coordinator.metrics().await.unwrap().latest_event;
    bed.register("a", "dance").await;
    // The same again is no news.
    assert_eq!(bed.happened(latest).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_welcome_tells_the_heartbeat_and_the_end_of_the_book() {
    let bed = Bed::open(Settings::default().with_heartbeat(HEARTBEAT * 2)).await;
    for _ in 0..2 {
        bed.give("").await;
        let registration =
            Registration::new(agent("a"), "A").with_capabilities("sing".parse().unwrap());
        let welcome = bed.coordinator.register(registration).await.unwrap();
        assert_eq!(welcome.heartbeat, HEARTBEAT * 2);
        let latest = bed.coordinator.metrics().await.unwrap().latest_event;
        assert_eq!(welcome.now, latest);
    }
}

#[tokio::test(start_paused = true)]
async fn a_winner_is_busy_until_it_has_reported() {
    let bed = Bed::open(Settings::default()).await;
    let task = bed.give("").await;
    bed.bid("a", task, 10).await;
    assert_eq!(bed.agent("a").await.unwrap(), "busy");
    let claim = bed.claim("a").await.unwrap();
    assert_eq!(bed.agent("a").await.unwrap(), "busy");
    bed.complete(task, claim.attempt, "la").await.unwrap();
    assert_eq!(bed.agent("a").await.unwrap(), "idle");
    let stood = bed.happened(EventId(0)).await.into_iter();
    let stood = stood.filter_map(|event| match event.what {
        Happening::AgentChanged { status, .. } => Some(status),
        _ => None,
    });
    assert_eq!(
        stood.collect::<Vec<_>>(),
        [AgentStatus::Busy, AgentStatus::Idle]
    );
}

#[tokio::test(start_paused = true)]
async fn a_winner_of_several_is_busy_until_the_last() {
    let bed = Bed::open(Settings::default()).await;
    bed.register("silent", "").await;
    let (one, two) = (bed.give("").await, bed.give("").await);
    bed.bid("a", one, 10).await;
    bed.bid("a", two, 10).await;
    bed.pass(AUCTION).await;
    let first = bed.claim("a").await.unwrap();
    bed.complete(one, first.attempt, "la").await.unwrap();
    assert_eq!(bed.agent("a").await.unwrap(), "busy");
    let second = bed.claim("a").await.unwrap();
    bed.complete(two, second.attempt, "la").await.unwrap();
    assert_eq!(bed.agent("a").await.unwrap(), "idle");
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_offline_after_a_heartbeat_of_silence_and_back_with_any_sign_of_life() {
    let bed = Bed::open(Settings::default()).await;
    bed.register("a", "").await;
    for sign in 0..5 {
        bed.pass(short_of(HEARTBEAT)).await;
        assert_eq!(bed.agent("a").await.unwrap(), "idle", "before {sign}");
        bed.pass(TICK).await;
        assert_eq!(bed.agent("a").await.unwrap(), "offline", "before {sign}");
        match sign {
            0 => assert_eq!(bed.pulse("a", &[]).await, []),
            1 => assert!(bed.claim("a").await.is_none()),
            2 => bed
                .coordinator
                .alive(&[agent("a"), agent("b")])
                .await
                .unwrap(),
            3 => bed.coordinator.seen(&agent("a")),
            _ => bed.register("a", "").await,
        }
        assert_eq!(bed.agent("a").await.unwrap(), "idle", "after {sign}");
    }
    // Who lives and is not known is not entered.
    assert_eq!(bed.agent("b").await, None);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_bid_before_it_presented_itself_is_missed_like_any_other() {
    for bidders in [Bidders::Known, Bidders::Anybody] {
        let bed = Bed::open(Settings::default().with_bidders(bidders)).await;
        let task = bed.give("").await;
        bed.bid("a", task, 10).await;
        bed.register("a", "").await;
        bed.pass(AUCTION).await;
        assert_eq!(bed.status(task).await, TaskStatus::Assigned);
        bed.pass(HEARTBEAT).await;
        assert_eq!(bed.agent("a").await.unwrap(), "offline", "{bidders:?}");
        assert_ne!(bed.status(task).await, TaskStatus::Assigned, "{bidders:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_an_agent_that_is_known_by_its_bids_alone_no_heartbeat_is_expected_where_anybody_bids() {
    let bed = Bed::open(Settings::default().with_bidders(Bidders::Anybody)).await;
    let task = bed.give("").await;
    bed.bid("timmy", task, 10).await;
    bed.pass(AUCTION).await;
    bed.pass(HEARTBEAT * 10).await;
    assert_eq!(bed.agent("timmy").await.unwrap(), "busy");
    assert_eq!(bed.status(task).await, TaskStatus::Assigned);
}

#[tokio::test(start_paused = true)]
async fn who_is_not_known_gets_no_work_and_no_heartbeat() {
    use alveary_agent::protocol::{ClaimRequest, ProblemKind, Pulse};
    let bed = Bed::open(Settings::default()).await;
    let pulse = Pulse::new(agent("a"));
    let error = bed.coordinator.heartbeat(pulse).await.unwrap_err();
    assert_eq!(error.kind(), ProblemKind::NotFound);
    let request = ClaimRequest::new(agent("a")).with_wait(HEARTBEAT);
    let error = bed.coordinator.claim(request).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no agent `a` here (register it first)"
    );
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_work_lives() {
    use alveary_agent::protocol::ClaimRequest;
    let bed = Bed::open(Settings::default()).await;
    bed.register("a", "").await;
    let coordinator = bed.coordinator.clone();
    let waiting = tokio::spawn(async move {
        let request = ClaimRequest::new(agent("a")).with_wait(HEARTBEAT * 2);
        coordinator.claim(request).await
    });
    for _ in 0..11 {
        bed.pass(HEARTBEAT / 6).await;
        assert_eq!(bed.agent("a").await.unwrap(), "idle");
    }
    assert!(!waiting.is_finished());
    bed.pass(HEARTBEAT / 6).await;
    assert_eq!(waiting.await.unwrap().unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_work_gets_it_when_it_has_won_it() {
    use alveary_agent::protocol::ClaimRequest;
    let bed = Bed::open(Settings::default()).await;
    bed.register("a", "").await;
    let coordinator = bed.coordinator.clone();
    let waiting = tokio::spawn(async move {
        let request = ClaimRequest::new(agent("a")).with_wait(HEARTBEAT);
        coordinator.claim(request).await
    });
    bed.settle().await;
    let task = bed.give("").await;
    bed.bid("a", task, 10).await;
    // No time has passed.
    let claim = waiting.await.unwrap().unwrap().unwrap();
    assert_eq!((claim.task_id, claim.number), (task, 1));
}
