//! What the logs of an engine are worth, by the driver that keeps them.

use alveary_core::LogFidelity;

use super::LogSettings;

/// Drivers that keep nothing that could be given back.
pub(crate) const UNREADABLE: [&str; 2] = ["none", "passthrough"];

impl LogSettings {
    /// What is promised of logs by an engine that is Podman, or Docker, or not known yet.
    pub(crate) fn fidelity(&self, podman: Option<bool>) -> LogFidelity {
        match podman {
            Some(true) => self.by_podman(),
            Some(false) => self.by_docker(),
            None => {
                let (one, other) = (self.by_podman(), self.by_docker());
                let mut both = LogFidelity::default();
                both.readable = one.readable && other.readable;
                both.byte_exact = one.byte_exact && other.byte_exact;
                both.complete = one.complete && other.complete;
                both.bounded = one.bounded && other.bounded;
                both
            }
        }
    }

    fn by_docker(&self) -> LogFidelity {
        let mut logs = LogFidelity::default();
        match self.driver.as_deref().unwrap_or("local") {
            driver @ ("local" | "json-file") => {
                logs.readable = true;
                // The other replaces what is no UTF-8.
                logs.byte_exact = driver == "local";
                logs.complete = match self.option("mode") {
                    Some(mode) => mode != "non-blocking",
                    None => self.blocking,
                };
                logs.bounded = !self.is_endless();
            }
            // It keeps what it gets in the host's journal, which has a bound of its own for all that is in it, and
            // leaves out what comes too fast.
            "journald" => logs.readable = true,
            driver if UNREADABLE.contains(&driver) => logs.bounded = driver == "none",
            // What goes elsewhere, the engine keeps a bounded copy of, unless it is told not to.
            _ => {
                let kept = self.option("cache-disabled") != Some("true");
                logs.readable = kept;
                logs.bounded = true;
            }
        }
        logs
    }

    /// Its monitor writes what an agent says itself, and has the agent wait for that. Lines are all that it knows.
    fn by_podman(&self) -> LogFidelity {
        let mut logs = LogFidelity::default();
        match self.driver.as_deref() {
            Some("none") => logs.bounded = true,
            Some(driver) if UNREADABLE.contains(&driver) => {}
            // Which one it takes by itself is said on its host.
            Some("journald") | None => logs.readable = true,
            Some("json-file") => {
                (logs.readable, logs.complete) = (true, true);
                logs.bounded = !self.is_endless();
            }
            Some(_) => {
                (logs.readable, logs.complete) = (true, true);
                logs.bounded = self.option("max-size").is_some() && !self.is_endless();
            }
        }
        logs
    }

    fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Whether a file may grow for ever.
    fn is_endless(&self) -> bool {
        self.option("max-size")
            .is_some_and(|size| size.starts_with('-'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(logs: LogFidelity) -> String {
        let words = [
            ("readable", logs.readable),
            ("exact", logs.byte_exact),
            ("complete", logs.complete),
            ("bounded", logs.bounded),
            ("counted", logs.counted),
        ];
        let are = words.iter().filter(|(_, is)| *is).map(|(word, _)| *word);
        are.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_docker_keeps_is_promised_by_driver_and_mode() {
        let log = LogSettings::default;
        for (settings, promised) in [
            (log(), "readable exact bounded"),
            (log().with_blocking(true), "readable exact complete bounded"),
            (
                log().with_option("mode", "blocking"),
                "readable exact complete bounded",
            ),
            (
                log()
                    .with_blocking(true)
                    .with_option("mode", "non-blocking"),
                "readable exact bounded",
            ),
            (log().with_option("max-size", "-1"), "readable exact"),
            (log().with_driver("json-file"), "readable bounded"),
            (log().with_driver("journald"), "readable"),
            (log().with_driver("none"), "bounded"),
            (log().with_driver("syslog"), "readable bounded"),
            (
                log()
                    .with_driver("syslog")
                    .with_option("cache-disabled", "true"),
                "bounded",
            ),
        ] {
            assert_eq!(
                words(settings.fidelity(Some(false))),
                promised,
                "{settings:?}"
            );
        }
    }

    #[test]
    fn what_podman_keeps_is_promised_by_driver_and_never_to_the_byte() {
        let log = LogSettings::default;
        for (settings, promised) in [
            (log(), "readable"),
            (log().with_driver("k8s-file"), "readable complete"),
            (
                log().with_driver("k8s-file").with_option("max-size", "1mb"),
                "readable complete bounded",
            ),
            (log().with_driver("json-file"), "readable complete bounded"),
            (log().with_driver("journald"), "readable"),
            (log().with_driver("none"), "bounded"),
            (log().with_driver("passthrough"), ""),
        ] {
            assert_eq!(
                words(settings.fidelity(Some(true))),
                promised,
                "{settings:?}"
            );
        }
    }

    #[test]
    fn of_an_engine_that_is_not_known_is_promised_what_each_would_keep() {
        assert_eq!(words(LogSettings::default().fidelity(None)), "readable");
        let none = LogSettings::default().with_driver("none");
        assert_eq!(words(none.fidelity(None)), "bounded");
    }
}
