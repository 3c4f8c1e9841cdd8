//! A program that goes on, and what it prints, line by line.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use rustix::process::Signal;

use crate::hive::{PATIENCE, signal};

/// A program that runs, with its output read along.
pub(crate) struct Reading {
    child: Child,
    lines: Receiver<String>,
    reader: Option<JoinHandle<()>>,
    read: Vec<String>,
}

impl Reading {
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = channel();
        let reader = std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        Self {
            child,
            lines,
            reader: Some(reader),
            read: Vec::new(),
        }
    }

    /// Reads until there is a line of which this is true.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, is: impl Fn(&str) -> bool) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("it never printed {what}; it printed {:#?}", self.read);
            };
            self.read.push(line.clone());
            if is(&line) {
                return line;
            }
        }
    }

    /// What was read so far.
    pub(crate) fn read(&self) -> &[String] {
        &self.read
    }

    /// Asks it to end by this signal, and gives how it did. What it printed until then has been read.
    #[track_caller]
    pub(crate) fn end(&mut self, by: Signal) -> ExitStatus {
        signal(self.child.id(), by);
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        self.read.extend(self.lines.try_iter());
        status
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
