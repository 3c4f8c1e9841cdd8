//! The suite, on the memory backend and on every way of holding one.

use std::process::ExitCode;
use std::sync::Arc;

use alveary_conformance::{Harness, MemoryHarness, Wrapped, run};

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
    ];
    run(std::env::args_os(), harnesses)
}
