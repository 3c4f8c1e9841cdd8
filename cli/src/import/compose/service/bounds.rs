//! How much a service may use up, how many of it there are, and how long it is kept up.

use toml::Value;

use super::super::parts::{size, time};
use super::{Service, Yaml};

impl Service<'_> {
    pub(super) fn count(&mut self, key: &str, said: &Yaml) {
        match said.text().and_then(|text| text.parse::<i64>().ok()) {
            Some(1) => {}
            Some(count @ 2..) => self.agent("count", count),
            _ => self.leave(key, "leave the agent out, or `alveary scale` it to 0"),
        }
    }

    pub(super) fn limit(&mut self, key: &str, into: &str, value: Option<impl Into<Value>>) {
        match value {
            Some(value) => self.within("limits", into, value),
            None => self.leave(key, "cannot be read"),
        }
    }

    pub(super) fn cpus(&mut self, key: &str, said: &Yaml) {
        let cpus = said.text().and_then(|text| text.parse::<f64>().ok());
        self.limit(key, "cpus", cpus);
    }

    pub(super) fn nproc(&mut self, key: &str, said: &Yaml) {
        match said.text().and_then(|text| text.parse::<i64>().ok()) {
            Some(-1 | 0) => self.leave(
                key,
                "there is always a bound: `pids` in `[backends.docker-api]` is the default",
            ),
            most => self.limit(key, "nproc", most),
        }
    }

    pub(super) fn ulimits(&mut self, said: &Yaml) {
        for (key, bound) in said.map().unwrap_or_default() {
            let hard = bound.text().or_else(|| bound.get("hard")?.text());
            if hard.is_some() && bound.get("soft").is_some_and(|soft| soft.text() != hard) {
                self.leave(
                    "ulimits",
                    format!("`{key}` has one bound here, the hard one"),
                );
            }
            let hard = hard.and_then(|text| text.parse::<i64>().ok());
            match key.as_str() {
                "nofile" | "nproc" => self.limit("ulimits", key, hard),
                _ => self.leave("ulimits", format!("`{key}` is not there")),
            }
        }
    }

    pub(super) fn deploy(&mut self, said: &Yaml) {
        for (key, value) in said.map().unwrap_or_default() {
            match key.as_str() {
                "replicas" => self.count("deploy.replicas", value),
                "resources" => self.resources(value),
                "restart_policy" => self.restart_policy(value),
                "mode" if value.text().as_deref() == Some("replicated") => {}
                _ => self.leave(&format!("deploy.{key}"), "a fleet file has nothing like it"),
            }
        }
    }

    pub(super) fn resources(&mut self, said: &Yaml) {
        let limits = said.get("limits").and_then(Yaml::map).unwrap_or_default();
        for (key, value) in limits {
            let place = format!("deploy.resources.limits.{key}");
            match key.as_str() {
                "memory" => self.limit(&place, "memory", size(value)),
                "cpus" => self.cpus(&place, value),
                "pids" => self.nproc(&place, value),
                _ => self.leave(&place, "a fleet file has nothing like it"),
            }
        }
        let Some(reserved) = said.get("reservations") else {
            return;
        };
        let devices = reserved
            .get("devices")
            .and_then(Yaml::list)
            .unwrap_or_default();
        let is_gpu = |device: &&Yaml| {
            let kinds = device.get("capabilities").and_then(Yaml::texts);
            kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "gpu"))
        };
        if let Some(device) = devices.iter().find(is_gpu) {
            let count = device.get("count").and_then(Yaml::text);
            self.container("gpus", count.unwrap_or_else(|| "all".to_owned()));
        }
        if reserved
            .map()
            .is_some_and(|all| all.iter().any(|(key, _)| key != "devices"))
        {
            self.leave(
                "deploy.resources.reservations",
                "only limits are there, and graphics processors",
            );
        }
    }

    pub(super) fn restart_policy(&mut self, said: &Yaml) {
        let condition = said.get("condition").and_then(Yaml::text);
        match condition.as_deref() {
            Some("none") => return,
            Some("on-failure") => self.within("restart", "policy", "on-failure"),
            _ => self.within("restart", "policy", "always"),
        }
        for (key, into) in [("delay", "delay"), ("window", "within")] {
            if let Some(length) = said.get(key).and_then(time) {
                self.within("restart", into, length);
            }
        }
        let most = said.get("max_attempts").and_then(Yaml::text);
        if let Some(most) = most.and_then(|most| most.parse::<i64>().ok()) {
            self.within("restart", "max", most);
        }
    }

    pub(super) fn restart(&mut self, said: &Yaml) {
        let text = said.text().unwrap_or_default();
        let (policy, most) = match text.split_once(':') {
            Some((policy, most)) => (policy, most.parse::<i64>().ok()),
            None => (text.as_str(), None),
        };
        match policy {
            // An unquoted `no` is a falsehood to some readers of YAML.
            "no" | "false" => {}
            "always" | "unless-stopped" => self.within("restart", "policy", "always"),
            "on-failure" => self.within("restart", "policy", "on-failure"),
            _ => self.leave(
                "restart",
                "say `restart` as \"never\", \"on-failure\" or \"always\"",
            ),
        }
        match most {
            Some(most) => self.within("restart", "max", most),
            None if matches!(policy, "always" | "unless-stopped" | "on-failure") => self.leave(
                "restart",
                "begins again without end there; here five times within a minute are the most, unless `restart.max` says more",
            ),
            None => {}
        }
    }
}
