//! How the health of a service is looked at.

use toml::{Table, Value};

use super::super::parts::{array, time};
use super::{Service, Yaml};

impl Service<'_> {
    pub(super) fn health(&mut self, said: &Yaml) {
        let mut health = Table::new();
        let test = said.get("test").and_then(Yaml::texts).unwrap_or_default();
        let is_off = said.get("disable").is_some_and(Yaml::is_true)
            || test.first().is_some_and(|word| word == "NONE");
        if !is_off {
            let command = match (said.get("test"), test.split_first()) {
                (Some(Yaml::List(_)), Some((kind, words))) if kind == "CMD" => words.to_vec(),
                (Some(Yaml::List(_)), Some((_, words))) => shell(&words.join(" ")),
                (Some(_), Some((line, _))) => shell(line),
                _ => {
                    self.leave(
                        "healthcheck",
                        "without a `test` the image's own health stays as it is",
                    );
                    return;
                }
            };
            health.insert("command".to_owned(), array(command));
            for key in ["interval", "timeout", "start_period"] {
                if let Some(length) = said.get(key).and_then(time) {
                    health.insert(key.to_owned(), length.into());
                }
            }
            if let Some(Yaml::Integer(retries)) = said.get("retries") {
                health.insert("retries".to_owned(), (*retries).into());
            }
        }
        self.container("health", Value::Table(health));
    }
}

fn shell(line: &str) -> Vec<String> {
    ["sh", "-c", line].map(str::to_owned).to_vec()
}
