//! On what was measured, and what else it had to do.

use std::fs;

use serde::{Deserialize, Serialize};

/// A machine, as far as it matters to how fast it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) host: String,
    pub(crate) kernel: String,
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) memory_mib: u64,
    /// What waited for a processor or a disk, on an average of one minute: before and after.
    pub(crate) load_before: f64,
    pub(crate) load_after: f64,
}

impl Machine {
    /// Looks at this one. What cannot be seen is empty, or nought.
    pub(crate) fn this() -> Self {
        let load = load();
        Self {
            host: read("/proc/sys/kernel/hostname"),
            kernel: read("/proc/sys/kernel/osrelease"),
            processor: value(&read("/proc/cpuinfo"), "model name").unwrap_or_default(),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: value(&read("/proc/meminfo"), "MemTotal")
                .and_then(|total| total.split(' ').next()?.parse::<u64>().ok())
                .map_or(0, |kib| kib / 1024),
            load_before: load,
            load_after: load,
        }
    }

    pub(crate) fn look_again(&mut self) {
        self.load_after = load();
    }

    /// Whether times of the two can be held against each other.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let hardware = |of: &Self| (of.host.clone(), of.processor.clone(), of.processors);
        hardware(self) == hardware(other)
    }

    /// In a few words.
    pub(crate) fn title(&self) -> String {
        let processor = match self.processor.as_str() {
            "" => "processors",
            known => known,
        };
        format!("{} × {processor}, Linux {}", self.processors, self.kernel)
    }

    /// Whether others may have been in the way: more waited than there are processors.
    pub(crate) fn is_busy(&self) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "no machine has so many")]
        let processors = self.processors as f64;
        // What a bench itself does is one of them.
        self.load_before > processors
    }
}

fn load() -> f64 {
    let text = read("/proc/loadavg");
    let first = text.split(' ').next();
    first.and_then(|load| load.parse().ok()).unwrap_or_default()
}

fn read(file: &str) -> String {
    fs::read_to_string(file)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn value(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == key).then(|| value.trim().to_owned())
    })
}
