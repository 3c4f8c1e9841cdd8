//! What is the swarm's: by its uid, its whole name and its engine.

use tempfile::TempDir;

use super::*;

/// An engine of this id, with all images.
fn engine(id: Option<&str>) -> Fake {
    let engine = Fake::default();
    *engine.0.fetched.lock().unwrap() = true;
    *engine.0.id.lock().unwrap() = id.map(ToOwned::to_owned);
    engine
}

/// A swarm whose managers come and go, and its state on disk.
struct Lasting {
    state: TempDir,
    uid: SwarmUid,
}

impl Lasting {
    fn new() -> Self {
        Self {
            state: tempfile::tempdir().unwrap(),
            uid: SwarmUid::random(),
        }
    }

    fn on(&self, engine: &Fake) -> Containers<Fake> {
        self.with(engine, false)
    }

    fn with(&self, engine: &Fake, adopt: bool) -> Containers<Fake> {
        let context = ConnectContext::new(SwarmName::new("demo").unwrap(), self.uid)
            .with_state_dir(self.state.path())
            .with_adopt(adopt);
        Containers::new(engine.clone(), Settings::default(), &context).unwrap()
    }
}

async fn spawned(containers: &Containers<Fake>) -> Result<AgentId> {
    let id = AgentId::random();
    let options = SpawnOptions::default();
    containers.spawn(&id, &spec(), options).await.map(|_| id)
}

/// It may have been upgraded meanwhile.
#[tokio::test]
async fn an_engine_that_was_away_is_asked_anew_what_it_is() {
    let (swarm, engine) = (Lasting::new(), engine(Some("A")));
    let containers = swarm.on(&engine);
    spawned(&containers).await.unwrap();
    living(&containers).await.unwrap();
    let asked = || engine.0.facts.load(Ordering::SeqCst);
    assert_eq!(asked(), 1);
    let _events = containers.events(EventOptions::default()).await.unwrap();
    assert_eq!(asked(), 2);
}

async fn living(containers: &Containers<Fake>) -> Result<usize> {
    let listed = containers.list(ListOptions::default()).await;
    listed.map(|listed| listed.len())
}

#[tokio::test]
async fn of_another_engine_nothing_is_listed_and_nothing_touched() {
    let (swarm, home) = (Lasting::new(), engine(Some("A")));
    let id = spawned(&swarm.on(&home)).await.unwrap();
    // The very same containers, as those of a machine that was copied.
    *home.0.id.lock().unwrap() = Some("B".to_owned());
    let before = format!("{:?}", home.0.containers);
    let other = swarm.on(&home);
    let refusals = [
        living(&other).await.unwrap_err(),
        spawned(&other).await.unwrap_err(),
        other.inspect(&id).await.unwrap_err(),
        other.stop(&id, StopOptions::by_force()).await.unwrap_err(),
        other
            .remove(&id, RemoveOptions::default().with_force(true))
            .await
            .unwrap_err(),
        other.events(EventOptions::default()).await.unwrap_err(),
        other.logs(&id, LogOptions::default()).await.unwrap_err(),
        other.check().await.unwrap_err(),
    ];
    for error in refusals {
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        let said = error.to_string();
        assert!(said.contains("goes by B, and the swarm's by A"), "{said}");
        assert!(error.cure().unwrap().contains("--adopt"), "{error}");
    }
    assert_eq!(format!("{:?}", home.0.containers), before);

    assert_eq!(living(&swarm.with(&home, true)).await.unwrap(), 1);
    // That was said once, and holds.
    assert_eq!(living(&swarm.on(&home)).await.unwrap(), 1);
}

#[tokio::test]
async fn one_that_came_while_a_manager_lives_is_found_out_when_it_subscribes_anew() {
    let (swarm, home) = (Lasting::new(), engine(Some("A")));
    let containers = swarm.on(&home);
    drop(containers.events(EventOptions::default()).await.unwrap());
    spawned(&containers).await.unwrap();
    *home.0.id.lock().unwrap() = Some("B".to_owned());
    let error = containers
        .events(EventOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(
        living(&containers).await.unwrap_err().kind(),
        ErrorKind::Conflict
    );
    *home.0.id.lock().unwrap() = Some("A".to_owned());
    drop(containers.events(EventOptions::default()).await.unwrap());
    assert_eq!(living(&containers).await.unwrap(), 1);
}

#[tokio::test]
async fn an_engine_is_asked_once_which_it_is() {
    let (swarm, home) = (Lasting::new(), engine(Some("A")));
    let containers = swarm.on(&home);
    for _ in 0..5 {
        let id = spawned(&containers).await.unwrap();
        containers.inspect(&id).await.unwrap();
        living(&containers).await.unwrap();
    }
    assert_eq!(home.0.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn one_that_does_not_say_which_it_is_is_taken_as_it_is() {
    let (swarm, home) = (Lasting::new(), engine(None));
    spawned(&swarm.on(&home)).await.unwrap();
    *home.0.id.lock().unwrap() = Some("A".to_owned());
    assert_eq!(living(&swarm.on(&home)).await.unwrap(), 1);

    let (swarm, home) = (Lasting::new(), engine(Some("A")));
    spawned(&swarm.on(&home)).await.unwrap();
    *home.0.id.lock().unwrap() = None;
    assert_eq!(living(&swarm.on(&home)).await.unwrap(), 1);
}

#[tokio::test]
async fn a_swarm_of_which_nothing_is_left_may_be_brought_up_on_another_engine() {
    let (swarm, home) = (Lasting::new(), engine(Some("A")));
    let containers = swarm.on(&home);
    let id = spawned(&containers).await.unwrap();
    let force = RemoveOptions::default().with_force(true);
    containers.remove(&id, force).await.unwrap();
    let discard = alveary_core::DiscardOptions::default();
    let belongings = containers.belongings().unwrap();
    belongings.discard(discard).await.unwrap();
    spawned(&swarm.on(&engine(Some("B")))).await.unwrap();
    assert!(living(&swarm.on(&home)).await.is_err());
}

#[tokio::test]
async fn one_with_all_the_marks_the_very_name_and_another_uid_is_a_strangers() {
    let (lost, home) = (Lasting::new(), engine(Some("A")));
    let theirs = spawned(&lost.on(&home)).await.unwrap();
    // One run by hand from an image that has these labels: its name is another.
    let mut by_hand = home.0.containers.lock().unwrap()[0].clone();
    by_hand.name = "by-hand".to_owned();
    by_hand.id = Ref::new("b1").unwrap();
    home.0.containers.lock().unwrap().push(by_hand);
    let before = format!("{:?}", home.0.containers);

    let swarm = Lasting::new();
    let containers = swarm.on(&home);
    assert_eq!(living(&containers).await.unwrap(), 0);
    let refused = containers.inspect(&theirs).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    let error = spawned(&containers).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains(&lost.uid.to_string()), "{error}");
    assert!(error.cure().unwrap().contains("--adopt"), "{error}");
    let found = containers.namesakes().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].uid, found[0].agents, found[0].living),
        (lost.uid, 1, 1)
    );
    assert_eq!(format!("{:?}", home.0.containers), before);

    // Who was up before the stranger came is not hindered, but for that one name.
    let elsewhere = engine(Some("A"));
    let containers = swarm.on(&elsewhere);
    spawned(&containers).await.unwrap();
    let twin = home.0.containers.lock().unwrap()[0].clone();
    elsewhere.0.containers.lock().unwrap().push(twin);
    spawned(&containers).await.unwrap();
    let options = SpawnOptions::default();
    let error = containers
        .spawn(&theirs, &spec(), options)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains(&lost.uid.to_string()), "{error}");
}
