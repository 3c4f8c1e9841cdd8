//! What is asked of Prometheus, as a parser of its language reads it, and whether it can be answered.

use std::collections::BTreeSet;

use promql_parser::label::MatchOp;
use promql_parser::parser::{self, Expr, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};

use crate::exported::Exported;

/// What Prometheus itself says of each number that it has fetched.
const OF_THE_SCRAPE: [&str; 2] = ["instance", "job"];

/// A question, as it is once Grafana has put in what it puts in.
pub(crate) fn parse(question: &str) -> Expr {
    let plain = question
        .replace("$__rate_interval", "5m")
        .replace("$__range", "1h");
    parser::parse(&plain).unwrap_or_else(|error| panic!("{question}: {error}"))
}

/// The names that a question asks for; it panics where there is nothing to be had by it.
pub(crate) fn names(question: &str, exported: &Exported) -> BTreeSet<String> {
    let mut asked = Asked {
        question,
        exported,
        names: BTreeSet::new(),
    };
    asked.walk(&parse(question));
    assert!(!asked.names.is_empty(), "{question} asks for nothing");
    asked.names
}

/// The labels that the answer to a question has.
pub(crate) fn labels(expr: &Expr, exported: &Exported) -> BTreeSet<String> {
    let of_all = |parts: &mut dyn Iterator<Item = &Expr>| {
        parts.flat_map(|part| labels(part, exported)).collect()
    };
    let selected = |selector: &VectorSelector| {
        let name = selector.name.as_deref().unwrap();
        let own = exported.0[name].labels.keys().map(String::as_str);
        own.chain(OF_THE_SCRAPE).map(str::to_owned).collect()
    };
    match expr {
        Expr::VectorSelector(selector) => selected(selector),
        Expr::MatrixSelector(selector) => selected(&selector.vs),
        // What is added up keeps the labels by which it is.
        Expr::Aggregate(aggregate) => {
            let by = aggregate.modifier.iter();
            by.flat_map(|by| by.labels().labels.clone()).collect()
        }
        Expr::Call(call) => of_all(&mut call.args.args.iter().map(AsRef::as_ref)),
        Expr::Binary(binary) => of_all(&mut [&*binary.lhs, &*binary.rhs].into_iter()),
        _ => BTreeSet::new(),
    }
}

struct Asked<'a> {
    question: &'a str,
    exported: &'a Exported,
    names: BTreeSet<String>,
}

impl Asked<'_> {
    fn walk(&mut self, expr: &Expr) {
        let Ok(_) = walk_expr(self, expr);
    }

    fn selected(&mut self, selector: &VectorSelector, over_time: bool) {
        let question = self.question;
        let name = selector.name.as_deref().unwrap();
        let Some(family) = self.exported.0.get(name) else {
            panic!("{question}: nobody exports {name}");
        };
        // The height of what only grows says how long somebody has lived; how fast it grows is what is asked for.
        assert_eq!(
            over_time, family.grows,
            "{question}: {name} is asked for in the wrong way"
        );
        assert!(selector.matchers.or_matchers.is_empty(), "{question}");
        for matcher in &selector.matchers.matchers {
            if OF_THE_SCRAPE.contains(&matcher.name.as_str()) {
                continue;
            }
            let Some(said) = family.labels.get(&matcher.name) else {
                panic!("{question}: {name} has no label {}", matcher.name);
            };
            let is_said = said.contains(&matcher.value);
            assert!(
                matcher.op == MatchOp::Equal && is_said,
                "{question}: {} of {name} is never {:?}",
                matcher.name,
                matcher.value
            );
        }
        self.names.insert(name.to_owned());
    }

    /// Whether every number beneath has this label.
    fn has(&self, expr: &Expr, label: &str) -> bool {
        let mut beneath = Asked {
            question: self.question,
            exported: self.exported,
            names: BTreeSet::new(),
        };
        beneath.walk(expr);
        OF_THE_SCRAPE.contains(&label)
            || beneath
                .names
                .iter()
                .all(|name| self.exported.0[name].labels.contains_key(label))
    }
}

impl ExprVisitor for Asked<'_> {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Self::Error> {
        match expr {
            Expr::VectorSelector(selector) => self.selected(selector, false),
            Expr::MatrixSelector(selector) => self.selected(&selector.vs, true),
            Expr::Aggregate(aggregate) => {
                for label in aggregate.modifier.iter().flat_map(|by| &by.labels().labels) {
                    assert!(
                        self.has(&aggregate.expr, label),
                        "{}: not all have the label {label}",
                        self.question
                    );
                }
            }
            _ => {}
        }
        Ok(true)
    }
}
