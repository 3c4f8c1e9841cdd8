//! The suite, on the memory backend and on every way of holding one.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use alveary_conformance::{Chaos, Harness, MemoryHarness, Wrapped, run};

fn main() -> ExitCode {
    let harnesses: Vec<Box<dyn Harness>> = vec![
        Box::new(MemoryHarness::default()),
        Box::new(Wrapped::new(
            "memory-in-an-arc",
            MemoryHarness::default(),
            |backend| Arc::new(backend),
        )),
        Box::new(Wrapped::new(
            "memory-in-a-box",
            MemoryHarness::default(),
            |backend| Arc::new(Box::new(backend)),
        )),
        // Every call comes back late, so that dropped calls are dropped in the middle.
        Box::new(Wrapped::new(
            "memory-with-delays",
            MemoryHarness::default(),
            |backend| Arc::new(Chaos::new(backend).with_delays(Duration::from_millis(2))),
        )),
    ];
    run(std::env::args_os(), harnesses)
}
