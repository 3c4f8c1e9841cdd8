//! A crowd of agents over either transport.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use alveary_agent::protocol::{EventId, Happening, NewTask, TaskStatus};
use alveary_agent::{Agent, HttpTransport, Summary, Task, TokenFile, Transport};
use alveary_coordinator::http::{Listeners, Server};
use alveary_coordinator::{Channel, Coordinator, Database, MAX_PAGE, Page, TaskFilter, Tokens};
use alveary_core::AgentId;
use futures_util::StreamExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::witness::{Witness, Witnessed};
use super::{PATIENCE, Size, settings};

/// Agents at work.
#[derive(Debug)]
pub(crate) struct Fleet {
    agents: JoinSet<Summary>,
    cancel: CancellationToken,
}

impl Fleet {
    /// So many agents, each by its own way. No two results are the same.
    pub(crate) fn start<T: Transport>(
        many: usize,
        witness: &Arc<Witness>,
        way: impl Fn(AgentId) -> T,
    ) -> Self {
        let cancel = CancellationToken::new();
        let counted = Arc::new(AtomicU64::new(0));
        let mut agents = JoinSet::new();
        for number in 0..many {
            let id = AgentId::new(format!("agent-{number}")).unwrap();
            let counted = Arc::clone(&counted);
            let agent = Agent::builder(id.as_str())
                .id(id.clone())
                .handler(move |task: Task| {
                    let count = counted.fetch_add(1, Ordering::Relaxed);
                    let result = format!("{} by {}, the {count}th", task.task_id, task.agent_id);
                    async move { Ok::<_, String>(result) }
                })
                .transport(Arc::new(Witnessed {
                    transport: way(id),
                    witness: Arc::clone(witness),
                }))
                .build()
                .unwrap();
            let run = agent.run(cancel.clone());
            agents.spawn(async move { run.await.unwrap() });
        }
        Self { agents, cancel }
    }

    /// Over HTTP, each with its own token.
    pub(crate) fn over_http(
        many: usize,
        witness: &Arc<Witness>,
        (address, tokens, folder): (SocketAddr, &Tokens, &Path),
    ) -> Self {
        Self::start(many, witness, |id| {
            let file = folder.join(format!("{id}.token"));
            std::fs::write(&file, tokens.agent(&id).expose()).unwrap();
            HttpTransport::new(&format!("http://{address}"))
                .unwrap()
                .with_token(TokenFile::new(file))
        })
    }

    /// Lets them go. How many tasks they say they have done.
    pub(crate) async fn end(mut self) -> u64 {
        self.cancel.cancel();
        let mut completed = 0;
        while let Some(summary) = self.agents.join_next().await {
            let summary = summary.unwrap();
            assert_eq!((summary.failed, summary.superseded), (0, 0), "{summary:?}");
            completed += summary.completed;
        }
        completed
    }
}

/// Nothing was lost, and nothing done twice: the agents, the tasks and the events agree.
pub(crate) async fn agree(coordinator: &Coordinator, witness: &Witness, tasks: usize) {
    witness.saw_nothing_odd();
    let results = witness.results();
    assert_eq!(results.len(), tasks);
    let mut page = Page::default().with_limit(MAX_PAGE);
    let mut told = 0;
    loop {
        let got = coordinator
            .tasks(TaskFilter::default(), page.clone())
            .await
            .unwrap();
        for task in got.tasks {
            assert_eq!(task.status, TaskStatus::Completed, "{task:?}");
            assert_eq!(task.result.as_ref(), results.get(&task.id), "{task:?}");
            told += 1;
        }
        match got.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    assert_eq!(told, tasks);
    let (mut won, mut completed) = (0, 0);
    let latest = coordinator.metrics().await.unwrap().latest_event;
    let mut events = coordinator.events(Some(EventId(0))).await.unwrap();
    assert!(!events.has_lost());
    while let Some(event) = events.next().await {
        let event = event.unwrap();
        match event.what {
            Happening::Assigned { .. } => won += 1,
            Happening::Completed { .. } => completed += 1,
            _ => {}
        }
        if event.id == latest {
            break;
        }
    }
    assert_eq!((won, completed), (tasks, tasks));
}

fn tasks(many: usize) -> Vec<NewTask> {
    vec![NewTask::new("sing".parse().unwrap()); many]
}

/// What is known of a crowd that does not come to its end.
async fn how_it_stands(coordinator: &Coordinator) -> String {
    let metrics = coordinator.metrics().await.unwrap();
    let page = Page::default().with_limit(MAX_PAGE);
    let tasks = coordinator.tasks(TaskFilter::default(), page).await;
    let mut tasks = tasks.unwrap().tasks;
    tasks.retain(|task| task.status != TaskStatus::Completed);
    tasks.truncate(5);
    let auctions = coordinator.auctions().await.unwrap();
    let first = auctions.first();
    format!("{metrics:?}, such as {tasks:?}, {first:?}")
}

async fn work(coordinator: &Coordinator, fleet: Fleet, witness: &Witness, size: Size) {
    // All of them are there: no auction ends before each has bid.
    let registered = async {
        while coordinator.agents().await.unwrap().len() < size.agents {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, registered).await.unwrap();
    let begun = Instant::now();
    coordinator.add(tasks(size.tasks), None).await.unwrap();
    if tokio::time::timeout(PATIENCE, witness.saw(size.tasks))
        .await
        .is_err()
    {
        panic!("not all is done: {}", how_it_stands(coordinator).await);
    }
    let took = begun.elapsed();
    let bids = coordinator.metrics().await.unwrap().bids;
    println!(
        "{} tasks, {} agents, {bids} bids: {took:.1?}",
        size.tasks, size.agents
    );
    assert_eq!(fleet.end().await, size.tasks as u64);
    agree(coordinator, witness, size.tasks).await;
}

pub(crate) fn over_channels(size: Size) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let coordinator = Coordinator::open(settings(), Database::Memory)
            .await
            .unwrap();
        let witness = Arc::default();
        let way = |id| Channel::new(coordinator.clone(), id);
        let fleet = Fleet::start(size.agents, &witness, way);
        work(&coordinator, fleet, &witness, size).await;
    });
}

pub(crate) fn over_http(size: Size) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let file = Database::File(folder.path().join("book"));
        let coordinator = Coordinator::open(settings(), file).await.unwrap();
        let tokens = Tokens::random();
        let listeners = Listeners::bind(&["127.0.0.1:0".parse().unwrap()])
            .await
            .unwrap();
        let address = listeners.addresses()[0];
        let cancel = CancellationToken::new();
        let server = Server::new(coordinator.clone(), tokens.clone());
        let served = tokio::spawn(server.serve(listeners, cancel.clone()));
        let witness = Arc::default();
        let reach = (address, &tokens, folder.path());
        let fleet = Fleet::over_http(size.agents, &witness, reach);
        work(&coordinator, fleet, &witness, size).await;
        cancel.cancel();
        served.await.unwrap().unwrap();
    });
}
