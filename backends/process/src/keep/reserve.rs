//! Descriptors that are held back for ending what has to be ended, when there are no others any more.

use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError};

use crate::os::process::is_used_up;

/// As many as a look at a process takes at a time, and room to spare.
const HELD: usize = 4;

#[derive(Debug)]
pub(super) struct Reserve(Mutex<Vec<File>>);

impl Reserve {
    pub(super) fn new() -> Self {
        Self(Mutex::new(hold()))
    }

    /// Acts, and once more with what is held back if there was no descriptor to be had.
    pub(super) fn act<T>(&self, act: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match act() {
            Err(error) if is_used_up(&error) => {
                let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                held.clear();
                let done = act();
                *held = hold();
                done
            }
            done => done,
        }
    }
}

fn hold() -> Vec<File> {
    (0..HELD)
        .map_while(|_| File::open("/dev/null").ok())
        .collect()
}
