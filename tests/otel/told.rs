//! Numbers and what they are called, whoever told them.

use std::collections::BTreeMap;

use prometheus_parse::{Scrape, Value};

/// Labels and what they say.
pub(crate) type Labels = BTreeMap<String, String>;

/// Numbers, by what Prometheus calls them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Told {
    /// What they do, and the sentence about them.
    pub(crate) families: BTreeMap<String, (&'static str, String)>,
    pub(crate) numbers: BTreeMap<(String, Labels), f64>,
}

impl Told {
    pub(crate) fn family(&mut self, name: &str, kind: &'static str, help: &str) {
        let before = self
            .families
            .insert(name.to_owned(), (kind, help.to_owned()));
        assert!(
            before.is_none_or(|before| before == (kind, help.to_owned())),
            "{name} comes twice"
        );
    }

    pub(crate) fn number(&mut self, name: &str, labels: &Labels, is: f64) {
        let before = self.numbers.insert((name.to_owned(), labels.clone()), is);
        assert_eq!(before, None, "{name} {labels:?} comes twice");
    }

    /// A histogram's numbers: how many were not above each bound, then all, then what they come to.
    pub(crate) fn histogram(
        &mut self,
        name: &str,
        labels: &Labels,
        buckets: impl IntoIterator<Item = (f64, f64)>,
    ) {
        for (bound, count) in buckets {
            let mut labels = labels.clone();
            labels.insert("le".to_owned(), bound.to_string());
            self.number(&format!("{name}_bucket"), &labels, count);
        }
    }

    /// Takes out a number that is never the same twice.
    pub(crate) fn take(&mut self, name: &str) -> f64 {
        let key = (name.to_owned(), Labels::new());
        self.numbers
            .remove(&key)
            .unwrap_or_else(|| panic!("there is no {name} in {self:?}"))
    }

    pub(crate) fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels
            .iter()
            .map(|(key, is)| ((*key).to_owned(), (*is).to_owned()));
        self.numbers
            .get(&(name.to_owned(), labels.collect()))
            .copied()
    }

    /// What a text for Prometheus says, as a parser reads it that is not ours.
    pub(crate) fn scraped(text: &str) -> Self {
        let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
        let mut told = Self::default();
        for sample in scrape.samples {
            let labels = sample.labels.iter();
            let labels: Labels = labels.map(|(key, is)| (key.clone(), is.clone())).collect();
            let name = sample.metric;
            let (kind, is) = match sample.value {
                Value::Counter(is) => ("counter", is),
                Value::Gauge(is) => ("gauge", is),
                // The parser knows no types of a histogram's sum and count.
                Value::Untyped(is) => {
                    told.number(&name, &labels, is);
                    continue;
                }
                Value::Histogram(buckets) => {
                    told.family(&name, "histogram", &scrape.docs[&name]);
                    let buckets = buckets.iter().map(|at| (at.less_than, at.count));
                    told.histogram(&name, &labels, buckets);
                    continue;
                }
                Value::Summary(_) => panic!("nobody has a summary: {name}"),
            };
            told.family(&name, kind, &scrape.docs[&name]);
            told.number(&name, &labels, is);
        }
        let lines = text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(told.numbers.len(), lines, "every line is read:\n{text}");
        told
    }
}
