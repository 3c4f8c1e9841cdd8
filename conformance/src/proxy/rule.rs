//! Which requests something goes wrong with.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::answer::Answer;
use super::fault::{AnswerFault, BodyFault, Fault, Limit, Then, Wait};

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they are HTTP's own")]
pub enum Method {
    /// Every method.
    Any,
    Delete,
    Get,
    Head,
    Post,
    Put,
}

impl Method {
    pub(super) fn is(self, method: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Delete => method == "DELETE",
            Self::Get => method == "GET",
            Self::Head => method == "HEAD",
            Self::Post => method == "POST",
            Self::Put => method == "PUT",
        }
    }
}

/// Paths: `*` is any one segment, `**` at the end whatever follows.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Vec<String>);

impl Pattern {
    pub(super) fn new(path: &str) -> Self {
        let segments = path.trim_start_matches('/').split('/');
        Self(segments.map(ToOwned::to_owned).collect())
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        let mut segments = path.trim_start_matches('/').split('/');
        for wanted in &self.0 {
            if wanted == "**" {
                return true;
            }
            match segments.next() {
                Some(segment) if wanted == "*" || wanted == segment => {}
                _ => return false,
            }
        }
        segments.next().is_none()
    }
}

#[derive(Debug)]
struct State {
    method: Method,
    pattern: Pattern,
    /// The first and the last, counted from 1, with which it goes wrong.
    from: u64,
    to: u64,
    fault: Fault,
    matched: AtomicU64,
    struck: watch::Sender<u64>,
    off: AtomicBool,
}

/// All rules of a proxy.
#[derive(Debug, Default)]
pub(super) struct Rules(Mutex<Vec<Arc<State>>>);

impl Rules {
    fn add(&self, state: State) -> Rule {
        let state = Arc::new(state);
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rules.retain(|rule| !rule.off.load(Ordering::SeqCst));
        rules.push(Arc::clone(&state));
        Rule(state)
    }

    /// What goes wrong with this request, if anything does.
    pub(super) fn strike(&self, method: &str, path: &str) -> Option<Fault> {
        let rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chosen: Option<&State> = None;
        for rule in rules.iter() {
            let meant = rule.method.is(method) && rule.pattern.matches(path);
            if !meant || rule.off.load(Ordering::SeqCst) {
                continue;
            }
            let occurrence = rule.matched.fetch_add(1, Ordering::SeqCst) + 1;
            if (rule.from..=rule.to).contains(&occurrence) {
                chosen = Some(rule);
            }
        }
        let chosen = chosen?;
        chosen.struck.send_modify(|struck| *struck += 1);
        Some(chosen.fault.clone())
    }
}

/// Requests with which something is about to go wrong; from [`FaultProxy::on`](super::FaultProxy::on).
///
/// It is every one of them unless fewer are said. What goes wrong is said last, by one of the methods that
/// give a [`Rule`].
#[derive(Debug)]
#[must_use = "nothing goes wrong until it is said what does"]
pub struct When<'a> {
    rules: &'a Rules,
    method: Method,
    pattern: Pattern,
    from: u64,
    to: u64,
}

impl<'a> When<'a> {
    pub(super) fn new(rules: &'a Rules, method: Method, path: &str) -> Self {
        Self {
            rules,
            method,
            pattern: Pattern::new(path),
            from: 1,
            to: u64::MAX,
        }
    }

    /// The `n`th from now alone, counted from 1.
    pub fn nth(self, n: u64) -> Self {
        Self {
            from: n,
            to: n,
            ..self
        }
    }

    /// The next one alone.
    pub fn once(self) -> Self {
        self.nth(1)
    }

    /// The next `n`.
    pub fn first(self, n: u64) -> Self {
        Self {
            from: 1,
            to: n,
            ..self
        }
    }

    /// The `n`th from now, and all that come after it.
    pub fn from_nth(self, n: u64) -> Self {
        Self {
            from: n,
            to: u64::MAX,
            ..self
        }
    }

    fn rule(self, fault: Fault) -> Rule {
        self.rules.add(State {
            method: self.method,
            pattern: self.pattern,
            from: self.from,
            to: self.to,
            fault,
            matched: AtomicU64::new(0),
            struck: watch::Sender::new(0),
            off: AtomicBool::new(false),
        })
    }

    fn held(self, fault: impl FnOnce(Wait) -> Fault) -> Held {
        let release = watch::Sender::new(false);
        let wait = Wait::Until(release.subscribe());
        Held {
            rule: self.rule(fault(wait)),
            release,
        }
    }

    /// The client is cut off as soon as the request is there, and the engine never hears of it.
    pub fn cut(self) -> Rule {
        self.rule(Fault::Cut { pass_on: None })
    }

    /// The client is cut off as soon as the request is there, and the engine carries it out after this time.
    pub fn cut_and_pass_on_after(self, time: Duration) -> Rule {
        self.rule(Fault::Cut {
            pass_on: Some(Wait::For(time)),
        })
    }

    /// The client is cut off as soon as the request is there, and the engine carries it out once it is let go.
    pub fn cut_and_hold(self) -> Held {
        self.held(|wait| Fault::Cut {
            pass_on: Some(wait),
        })
    }

    /// The request is passed on after this time, whether or not the client is still there.
    pub fn delay_request(self, time: Duration) -> Rule {
        self.rule(Fault::HoldRequest(Wait::For(time)))
    }

    /// The request is passed on once it is let go, whether or not the client is still there: what its client
    /// has long given up is carried out late.
    pub fn hold_request(self) -> Held {
        self.held(Fault::HoldRequest)
    }

    /// Nothing at all comes back, and the engine never hears of it.
    pub fn never_answer(self) -> Rule {
        self.rule(Fault::HoldRequest(Wait::ForEver))
    }

    /// The engine carries it out, and the client is cut off where the answer would begin.
    pub fn lose_answer(self) -> Rule {
        self.rule(Fault::Answered(AnswerFault::Lose))
    }

    /// The engine's answer is passed back after this time.
    pub fn delay_answer(self, time: Duration) -> Rule {
        self.rule(Fault::Answered(AnswerFault::Hold(Wait::For(time))))
    }

    /// The engine's answer is passed back once it is let go.
    pub fn hold_answer(self) -> Held {
        self.held(|wait| Fault::Answered(AnswerFault::Hold(wait)))
    }

    /// The answer's body follows its headers after this time.
    pub fn delay_body(self, time: Duration) -> Rule {
        self.rule(Fault::Body(BodyFault::Hold(Wait::For(time))))
    }

    /// The answer's headers come, and then nothing for ever, on a connection that stays open.
    pub fn withhold_body(self) -> Rule {
        self.rule(Fault::Body(BodyFault::Hold(Wait::ForEver)))
    }

    /// The client is cut off after so many bytes of the answer's body, counted as they are on the wire.
    pub fn cut_body_after(self, bytes: u64) -> Rule {
        self.rule(Fault::Body(BodyFault::End(Limit::Bytes(bytes), Then::Cut)))
    }

    /// The client is cut off after so many values of JSON in the answer's body: events, say.
    pub fn cut_after_values(self, values: u64) -> Rule {
        self.rule(Fault::Body(BodyFault::End(
            Limit::Values(values),
            Then::Cut,
        )))
    }

    /// So many values of JSON come in the answer's body, and then nothing more, on a connection that stays
    /// open.
    pub fn mute_after_values(self, values: u64) -> Rule {
        self.rule(Fault::Body(BodyFault::End(
            Limit::Values(values),
            Then::Silence,
        )))
    }

    /// The stream stays open and says nothing.
    pub fn mute(self) -> Rule {
        self.mute_after_values(0)
    }

    /// The engine never hears of it, and the client gets this answer.
    pub fn answer(self, answer: Answer) -> Rule {
        self.rule(Fault::Instead(answer))
    }

    /// The engine carries it out, and the client gets this answer in place of the engine's.
    pub fn pass_on_and_answer(self, answer: Answer) -> Rule {
        self.rule(Fault::Answered(AnswerFault::Replace(answer)))
    }
}

/// Something that goes wrong until it is called off, or until it has gone wrong as often as it was to.
///
/// Of several rules that mean one request, the one made last is applied. Dropping it changes nothing.
#[derive(Debug, Clone)]
pub struct Rule(Arc<State>);

impl Rule {
    /// Nothing goes wrong by this rule any more. What it holds already stays held.
    pub fn call_off(&self) {
        self.0.off.store(true, Ordering::SeqCst);
    }

    /// How often it has gone wrong so far.
    pub fn times(&self) -> u64 {
        *self.0.struck.borrow()
    }

    /// Waits until it has gone wrong so often: the fault has begun, and need not be over.
    pub async fn struck(&self, times: u64) {
        let mut struck = self.0.struck.subscribe();
        // The sender is here.
        let _ = struck.wait_for(|struck| *struck >= times).await;
    }
}

/// A rule that holds something until it is let go; where this is dropped instead, for ever.
#[derive(Debug)]
#[must_use = "what is held is let go by `release` alone"]
pub struct Held {
    rule: Rule,
    release: watch::Sender<bool>,
}

impl Held {
    /// Lets go what is held, and holds nothing more.
    pub fn release(&self) {
        self.rule.call_off();
        self.release.send_replace(true);
    }
}

impl std::ops::Deref for Held {
    type Target = Rule;

    fn deref(&self) -> &Rule {
        &self.rule
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_segment_and_two_are_the_rest() {
        let matches = |pattern: &str, path: &str| Pattern::new(pattern).matches(path);
        assert!(matches("/containers/*/start", "/containers/abc/start"));
        assert!(!matches("/containers/*/start", "/containers/abc/stop"));
        assert!(!matches("/containers/*", "/containers/abc/start"));
        assert!(matches("/containers/**", "/containers/abc/start"));
        assert!(matches("/**", "/"));
        assert!(!matches("/containers/create", "/containers"));
    }

    #[test]
    fn the_rule_made_last_is_applied_and_all_of_them_count() {
        let rules = Rules::default();
        let first = When::new(&rules, Method::Any, "/**").nth(2).cut();
        let last = When::new(&rules, Method::Get, "/a").once().lose_answer();
        assert!(matches!(
            rules.strike("GET", "/a"),
            Some(Fault::Answered(AnswerFault::Lose))
        ));
        assert!(matches!(
            rules.strike("GET", "/a"),
            Some(Fault::Cut { pass_on: None })
        ));
        assert!(rules.strike("GET", "/a").is_none());
        assert_eq!((first.times(), last.times()), (1, 1));
    }
}
