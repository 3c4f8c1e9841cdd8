use alveary_agent::protocol::{Sats, TaskId};
use alveary_agent::{ErrorKind, Pricing, Quote};

use crate::fake::{Fake, Fault, Verb};
use crate::{Running, shouter};

#[tokio::test]
async fn an_agent_presents_itself_before_it_bids() {
    let fake = Fake::new();
    let agent = Running::start(shouter(&fake).id("persona-echo".parse().unwrap()));
    fake.until("a registration", |state| !state.registrations.is_empty())
        .await;
    let presented = fake.look(|state| state.registrations[0].clone());
    assert_eq!(presented.agent_id.as_str(), "persona-echo");
    assert_eq!(presented.name, "echo");
    assert_eq!(presented.capabilities.to_string(), "shout");
    agent.end().await.unwrap();
}

#[tokio::test]
async fn an_agent_bids_for_what_it_can_do_and_for_nothing_else() {
    let fake = Fake::new();
    let agent = Running::start(shouter(&fake).bid(Sats::new(7).unwrap()));
    let cannot = fake.add("sing", "sing");
    let both = fake.add("sing loudly", "sing,shout");
    let can = fake.add("hello", "shout");
    let anybody = fake.add("anything", "");
    fake.until("two bids", |state| state.bids.len() == 2).await;
    agent.end().await.unwrap();
    let bids = fake.look(|state| state.bids.clone());
    let for_task = |task: TaskId| bids.iter().filter(|bid| bid.task_id == task).count();
    assert_eq!([cannot, both, can, anybody].map(for_task), [0, 0, 1, 1]);
    assert!(
        bids.iter()
            .all(|bid| bid.bid_sats.get() == 7 && bid.capabilities.to_string() == "shout")
    );
}

#[tokio::test]
async fn a_task_auctioned_again_is_bid_on_again() {
    let fake = Fake::new();
    let agent = Running::start(shouter(&fake));
    let task = fake.add("hello", "shout");
    fake.until("a bid", |state| state.bids.len() == 1).await;
    fake.open(task, "hello", "shout", 2);
    fake.until("another bid", |state| state.bids.len() == 2)
        .await;
    agent.end().await.unwrap();
}

#[tokio::test]
async fn a_lost_bid_is_sent_again_with_the_same_price() {
    let fake = Fake::new();
    fake.fault(Verb::Bid, Fault::Lost(ErrorKind::Unavailable));
    fake.fault(Verb::Bid, Fault::AnswerLost);
    let agent = Running::start(shouter(&fake).bid(Pricing::default()));
    fake.add("hello", "shout");
    fake.until("a bid that was answered", |state| state.bids.len() == 2)
        .await;
    let bids = fake.look(|state| state.bids.clone());
    assert_eq!(bids[0], bids[1]);
    agent.end().await.unwrap();
}

#[tokio::test]
async fn a_function_may_decline() {
    let fake = Fake::new();
    let only_short = |quote: Quote| async move {
        let length = quote.description.as_str().len();
        (length < 10).then(|| Sats::new(length as u64).unwrap())
    };
    let agent = Running::start(shouter(&fake).bid(Pricing::function(only_short)));
    fake.add("a task that is far too long for this agent", "");
    let short = fake.add("short", "");
    fake.until("a bid", |state| !state.bids.is_empty()).await;
    agent.end().await.unwrap();
    let bids = fake.look(|state| state.bids.clone());
    assert_eq!(bids.len(), 1);
    assert_eq!((bids[0].task_id, bids[0].bid_sats.get()), (short, 5));
}

#[tokio::test]
async fn a_coordinator_that_is_not_there_yet_is_waited_for() {
    let fake = Fake::new();
    for _ in 0..3 {
        fake.fault(Verb::Register, Fault::Lost(ErrorKind::Unavailable));
        fake.fault(Verb::OpenTasks, Fault::Lost(ErrorKind::Unavailable));
    }
    let agent = Running::start(shouter(&fake));
    fake.add("hello", "shout");
    fake.until("a result", |state| state.completed.len() == 1)
        .await;
    agent.end().await.unwrap();
}

#[tokio::test]
async fn an_agent_that_was_forgotten_registers_again_and_goes_on() {
    let fake = Fake::new();
    let agent = Running::start(shouter(&fake));
    fake.until("a registration", |state| state.registrations.len() == 1)
        .await;
    fake.forget_agents();
    fake.until("another registration", |state| {
        state.registrations.len() == 2
    })
    .await;
    fake.add("hello", "shout");
    fake.until("a result", |state| state.completed.len() == 1)
        .await;
    agent.end().await.unwrap();
}

#[tokio::test]
async fn an_agent_whose_token_is_refused_says_so_and_ends() {
    let fake = Fake::new();
    fake.fault(Verb::Register, Fault::Lost(ErrorKind::Forbidden));
    let error = Running::start(shouter(&fake)).ended().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
}
