//! What to ask for a task.

use std::fmt;
use std::future::Future;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use alveary_core::AgentId;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::program::{InvalidProgram, Program};
use crate::protocol::{Capabilities, Description, OpenTask, Sats, TaskId};

/// The longest that a program may think about a price.
const THINKING: Duration = Duration::from_secs(5);

/// How an agent finds what to ask for a task.
#[derive(Clone)]
pub struct Pricing(Way);

#[derive(Clone)]
enum Way {
    Range(RangeInclusive<u64>),
    Program(Program),
    Function(Arc<dyn Fn(Quote) -> BoxFuture<'static, Option<Sats>> + Send + Sync>),
}

/// What an agent knows when it is to name its price. In JSON it is what a pricing [`Program`] reads.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Quote {
    /// For which task.
    pub task_id: TaskId,
    /// What is to be done.
    pub description: Description,
    /// What the task asks for.
    pub capabilities: Capabilities,
    /// Which auction of the task it is, from 1.
    pub auction: u32,
    /// Who bids.
    pub agent_id: AgentId,
    /// How many tasks the agent has in hand.
    pub holding: usize,
}

impl Quote {
    pub(crate) fn new(task: OpenTask, agent_id: AgentId, holding: usize) -> Self {
        Self {
            task_id: task.task_id,
            description: task.description,
            capabilities: task.capabilities,
            auction: task.auction,
            agent_id,
            holding,
        }
    }
}

/// The text is no pricing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPricing {
    /// The range has its ends the wrong way round.
    #[error("the range ends below its begin (write the smaller amount first, as in 10-100)")]
    Backwards,
    /// It begins with a digit and is not an amount or a range of amounts.
    #[error("it is no amount of sats (write 10, 10-100, or a program that prints one)")]
    Amount,
    /// It is no program either.
    #[error(transparent)]
    Program(#[from] InvalidProgram),
}

impl Pricing {
    /// Always the same.
    pub fn constant(sats: Sats) -> Self {
        Self::range(sats..=sats)
    }

    /// Anything between, at random. A range whose end lies below its begin is its begin alone.
    pub fn range(sats: RangeInclusive<Sats>) -> Self {
        let least = sats.start().get();
        Self(Way::Range(least..=sats.end().get().max(least)))
    }

    /// What a program prints, which reads the [`Quote`] as JSON. If it prints nothing, fails, or takes longer than
    /// five seconds, the agent does not bid.
    pub fn program(program: Program) -> Self {
        Self(Way::Program(program.time_limit(THINKING)))
    }

    /// What a function says; `None` to not bid.
    pub fn function<F, Fut>(function: F) -> Self
    where
        F: Fn(Quote) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<Sats>> + Send + 'static,
    {
        Self(Way::Function(Arc::new(move |quote| {
            function(quote).boxed()
        })))
    }

    /// The program that names the price, where one does.
    pub fn as_program(&self) -> Option<&Program> {
        match &self.0 {
            Way::Program(program) => Some(program),
            Way::Range(_) | Way::Function(_) => None,
        }
    }

    /// What to ask for this task; `None` to not bid.
    pub(crate) async fn price(&self, quote: Quote) -> Option<Sats> {
        match &self.0 {
            Way::Range(range) => Sats::new(fastrand::u64(range.clone())).ok(),
            Way::Function(function) => function(quote).await,
            Way::Program(program) => ask(program, &quote).await,
        }
    }
}

async fn ask(program: &Program, quote: &Quote) -> Option<Sats> {
    let task = quote.task_id;
    let printed = match program.run(quote, CancellationToken::new()).await {
        Ok(printed) => printed,
        Err(unable) => {
            tracing::warn!("no bid for task {task}: the pricing program failed: {unable}");
            return None;
        }
    };
    match printed.trim() {
        "" => None,
        text => text
            .parse()
            .inspect_err(|error| {
                tracing::warn!(
                    "no bid for task {task}: the pricing program did not print a bid: {error}"
                );
            })
            .ok(),
    }
}

/// What the original system's agents ask: 10 to 100 sats, at random.
impl Default for Pricing {
    fn default() -> Self {
        Self(Way::Range(10..=100))
    }
}

impl From<Sats> for Pricing {
    fn from(sats: Sats) -> Self {
        Self::constant(sats)
    }
}

/// `10`, `10-100`, or a program with its arguments.
impl std::str::FromStr for Pricing {
    type Err = InvalidPricing;
    fn from_str(text: &str) -> Result<Self, InvalidPricing> {
        if !text.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
            return Ok(Self::program(text.parse()?));
        }
        let amount = |text: &str| {
            text.trim()
                .parse::<Sats>()
                .map_err(|_| InvalidPricing::Amount)
        };
        match text.split_once('-') {
            None => Ok(Self::constant(amount(text)?)),
            Some((least, most)) => match (amount(least)?, amount(most)?) {
                (least, most) if least <= most => Ok(Self::range(least..=most)),
                _ => Err(InvalidPricing::Backwards),
            },
        }
    }
}

impl fmt::Debug for Pricing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Way::Range(range) => write!(f, "Pricing({range:?})"),
            Way::Program(program) => write!(f, "Pricing({program:?})"),
            Way::Function(_) => f.write_str("Pricing(a function)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote() -> Quote {
        let task = serde_json::json!({"task_id": TaskId::random(), "description": "sing", "status": "bidding"});
        let task = serde_json::from_value(task).unwrap();
        Quote::new(task, AgentId::random(), 2)
    }

    #[tokio::test]
    async fn a_range_stays_within_its_ends() {
        let pricing: Pricing = "10-12".parse().unwrap();
        for _ in 0..50 {
            let price = pricing.price(quote()).await.unwrap().get();
            assert!((10..=12).contains(&price), "{price}");
        }
    }

    #[tokio::test]
    async fn a_program_names_its_price_from_what_it_is_told() {
        let program = r#"sh -c 'grep -q "\"holding\":2" && echo 42'"#;
        let pricing: Pricing = program.parse().unwrap();
        assert_eq!(pricing.price(quote()).await, Some(Sats::new(42).unwrap()));
    }

    #[tokio::test]
    async fn a_program_that_fails_or_babbles_or_says_nothing_does_not_bid() {
        for program in ["false", "true", "echo much", "echo 0", "echo -5"] {
            let pricing: Pricing = program.parse().unwrap();
            assert_eq!(pricing.price(quote()).await, None, "{program}");
        }
    }

    #[test]
    fn amounts_that_cannot_be_bid_are_refused() {
        for wrong in [
            "0",
            "-1",
            "1-",
            "-",
            "5-4",
            "10x",
            "1.5",
            "99999999999999999999",
        ] {
            assert!(wrong.parse::<Pricing>().is_err(), "{wrong}");
        }
        assert_eq!(
            "9-3".parse::<Pricing>().unwrap_err(),
            InvalidPricing::Backwards
        );
    }
}
