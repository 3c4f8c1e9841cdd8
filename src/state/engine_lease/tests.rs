use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(1_000_000) };
}

/// The time of a test's own thread.
pub(super) fn now() -> u64 {
    NOW.get()
}

fn pass(duration: Duration) {
    NOW.set(NOW.get() + millis(duration));
}

/// What an engine has to keep of terms, in memory.
#[derive(Default)]
struct Engine(Mutex<BTreeMap<u64, String>>);

impl Engine {
    fn numbers(&self) -> Vec<u64> {
        self.0.lock().unwrap().keys().copied().collect()
    }
}

#[async_trait]
impl Leases for Engine {
    async fn newest(&self) -> Result<Option<Term>> {
        let terms = self.0.lock().unwrap();
        let newest = terms.last_key_value();
        Ok(newest.map(|(number, holder)| Term::new(*number, holder.clone())))
    }

    async fn begin(&self, number: u64, holder: &str) -> Result<Term> {
        let mut terms = self.0.lock().unwrap();
        let holder = terms.entry(number).or_insert_with(|| holder.to_owned());
        Ok(Term::new(number, holder.clone()))
    }

    async fn forget_before(&self, number: u64) -> Result<()> {
        self.0.lock().unwrap().retain(|term, _| *term >= number);
        Ok(())
    }
}

fn at(place: &str) -> Candidate {
    Candidate::new(Holder {
        place: place.to_owned(),
        nonce: Incarnation::random(),
        host: format!("host-{place}"),
        pid: 7,
    })
}

async fn take(candidate: &mut Candidate, engine: &Engine) -> EngineLease {
    candidate.try_take(engine).await.unwrap().unwrap()
}

async fn is_taken(candidate: &mut Candidate, engine: &Engine) -> Term {
    candidate.try_take(engine).await.unwrap().unwrap_err().0
}

#[tokio::test]
async fn who_begins_terms_in_time_keeps_it_and_leaves_no_trail() {
    let engine = Engine::default();
    let mut lease = take(&mut at("a"), &engine).await;
    let mut other = at("b");
    for _ in 0..20 {
        let theirs = is_taken(&mut other, &engine).await;
        assert_eq!(whose(&theirs), "process 7 on host-a");
        pass(RENEWED);
        assert!(lease.holds());
        lease.renew(&engine).await.unwrap().unwrap();
        assert!(lease.is_ours(&engine).await.unwrap());
    }
    assert_eq!(engine.numbers(), [20, 21]);
}

#[tokio::test]
async fn one_who_stops_is_followed_when_he_has_long_stopped_acting() {
    let engine = Engine::default();
    let mut lease = take(&mut at("a"), &engine).await;
    let mut other = at("b");
    is_taken(&mut other, &engine).await;
    pass(HELD);
    assert!(!lease.holds(), "he has given it up by now");
    is_taken(&mut other, &engine).await;
    pass(EXPIRED.saturating_sub(HELD));
    let followed = take(&mut other, &engine).await;
    assert!(followed.is_ours(&engine).await.unwrap());
    // He wakes up.
    assert!(!lease.is_ours(&engine).await.unwrap());
    let taken = lease.renew(&engine).await.unwrap().unwrap_err();
    assert_eq!(whose(&taken.0), "process 7 on host-b");
    assert!(!lease.holds());
}

#[tokio::test]
async fn of_two_who_would_follow_one_has_it() {
    let engine = Engine::default();
    take(&mut at("a"), &engine).await;
    let (mut one, mut two) = (at("b"), at("c"));
    is_taken(&mut one, &engine).await;
    is_taken(&mut two, &engine).await;
    pass(EXPIRED);
    // Both have seen the same last term; the second has looked before the first began his.
    let seen = engine.newest().await.unwrap().unwrap();
    take(&mut one, &engine).await;
    let late = begin(&engine, &two.holder, seen.number + 1).await.unwrap();
    assert_eq!(whose(&late.unwrap_err().0), "process 7 on host-b");
    is_taken(&mut two, &engine).await;
}

#[tokio::test]
async fn a_number_that_is_long_over_is_no_term() {
    let engine = Engine::default();
    let mut lease = take(&mut at("a"), &engine).await;
    for _ in 0..5 {
        lease.renew(&engine).await.unwrap().unwrap();
    }
    // Somebody slept between his look and this.
    let sleeper = at("b");
    let late = begin(&engine, &sleeper.holder, 2).await.unwrap();
    assert_eq!(whose(&late.unwrap_err().0), "process 7 on host-a");
    assert_eq!(engine.numbers(), [5, 6], "he has left nothing");
    lease.renew(&engine).await.unwrap().unwrap();
}

#[tokio::test]
async fn who_has_the_lock_of_the_same_folder_need_not_wait() {
    let engine = Engine::default();
    take(&mut at("a"), &engine).await;
    assert!(
        take(&mut at("a"), &engine)
            .await
            .is_ours(&engine)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_lease_that_was_thrown_away_is_taken_anew() {
    let engine = Engine::default();
    let lease = take(&mut at("a"), &engine).await;
    engine.forget_before(u64::MAX).await.unwrap();
    assert!(!lease.is_ours(&engine).await.unwrap());
    assert!(!lease.holds());
    take(&mut at("a"), &engine).await;
}

#[test]
fn a_copy_of_a_folder_is_another_place() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let holder = |folder: &tempfile::TempDir| Holder::here(folder.path()).unwrap();
    assert!(holder(&one).follows(&holder(&one).to_string()));
    assert!(!holder(&one).follows(&holder(&two).to_string()));
    assert_ne!(holder(&one), holder(&one));
}
