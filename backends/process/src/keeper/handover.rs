//! Giving way: another program goes on where this one stands.

use std::io;
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::settings::{FDS_VARIABLE, SETTINGS_VARIABLE, Settings};
use crate::os::inherited;

/// What another program needs to go on where this one stands.
#[derive(Debug)]
pub(super) struct Handover {
    settings: Settings,
    lock: RawFd,
    listener: RawFd,
}

impl Handover {
    /// `lock` and `listener` must stay open for as long as it is of use.
    pub(super) fn new(settings: Settings, lock: RawFd, listener: RawFd) -> Self {
        Self {
            settings,
            lock,
            listener,
        }
    }

    /// Becomes another program in place: children stay children, the lock stays taken, those who knock wait.
    /// Returns only if that fails.
    pub(super) fn become_program(&self, program: &str) -> io::Error {
        let settings = match self.settings.to_variable() {
            Ok(settings) => settings,
            Err(error) => return error.into(),
        };
        inherited::exec_with(
            Command::new(program)
                .arg0(keeper_name(&self.settings))
                .env(SETTINGS_VARIABLE, settings)
                .env(FDS_VARIABLE, format!("{},{}", self.lock, self.listener)),
            [self.lock, self.listener],
        )
    }
}

/// What a list of processes shows.
pub(super) fn keeper_name(settings: &Settings) -> String {
    format!("alveary-keeper {}", settings.name)
}
