//! What is seen to ahead of a start.

use alveary_core::Plans;

use super::*;

#[tokio::test(start_paused = true)]
async fn an_image_is_fetched_ahead_where_it_is_not_there_or_always_and_nothing_is_made() {
    for (pull, there, fetched, refused) in [
        (Pull::Missing, false, 1, None),
        (Pull::Missing, true, 0, None),
        (Pull::Always, true, 1, None),
        (Pull::Never, true, 0, None),
        (Pull::Never, false, 0, Some(ErrorKind::ImageNotFound)),
    ] {
        let (engine, containers) = swarm();
        *engine.0.fetched.lock().unwrap() = there;
        engine.0.come.notify_one();
        let (id, mut spec) = (AgentId::random(), spec());
        spec.container.pull = pull;
        let prepared = containers.prepare(&id, &spec).await;
        let why = prepared.as_ref().err().map(Error::kind);
        assert_eq!(why, refused, "{pull:?} {there}");
        assert_eq!(
            engine.0.pulls.load(Ordering::SeqCst),
            fetched,
            "{pull:?} {there}"
        );
        assert!(engine.0.containers.lock().unwrap().is_empty());
        if let Err(error) = prepared {
            assert_eq!(error.agent(), Some(&id));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_is_not_there_is_refused_ahead_and_nothing_is_fetched() {
    let (engine, containers) = swarm();
    engine.0.come.notify_one();
    let mut spec = spec();
    spec.container.mounts = vec!["dta:/data".parse().unwrap()];
    let prepared = containers.prepare(&AgentId::random(), &spec).await;
    assert_eq!(prepared.unwrap_err().kind(), ErrorKind::InvalidSpec);
    assert_eq!(engine.0.pulls.load(Ordering::SeqCst), 0);
}
