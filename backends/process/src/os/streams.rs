//! What a program reads and writes: pipes, or a terminal.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use alveary_core::TtySize;
use rustix::fs::OFlags;
use rustix::pipe::PipeFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use tokio::net::unix::pipe::{Receiver, Sender};

/// The ends that the program is given.
#[derive(Debug)]
pub(crate) struct Theirs {
    /// `None`: it has nothing to read.
    pub(crate) stdin: Option<File>,
    pub(crate) outputs: [File; 2],
}

/// The ends that are ours.
#[derive(Debug)]
pub(crate) struct Ours {
    pub(crate) stdin: Option<Sender>,
    /// Of a terminal there is one.
    pub(crate) stdout: Receiver,
    pub(crate) stderr: Option<Receiver>,
    pub(crate) terminal: Option<Terminal>,
}

impl Theirs {
    /// In the order in which [`from_passed`](Self::from_passed) expects them.
    pub(crate) fn to_pass(&self) -> Vec<BorrowedFd<'_>> {
        let outputs = self.outputs.iter().map(AsFd::as_fd);
        outputs
            .chain(self.stdin.as_ref().map(AsFd::as_fd))
            .collect()
    }

    /// `None`: they are not as many as there have to be.
    pub(crate) fn from_passed(descriptors: Vec<OwnedFd>) -> Option<Self> {
        let mut files = descriptors.into_iter().map(File::from);
        let theirs = Self {
            outputs: [files.next()?, files.next()?],
            stdin: files.next(),
        };
        files.next().is_none().then_some(theirs)
    }
}

/// Pipes for a program that has no terminal. Needs a runtime.
pub(crate) fn pipes(stdin: bool) -> io::Result<(Ours, Theirs)> {
    let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC);
    let (reads_stdout, stdout) = pipe()?;
    let (reads_stderr, stderr) = pipe()?;
    let (stdin, writes_stdin) = if stdin {
        let (stdin, writes) = pipe()?;
        (Some(stdin.into()), Some(Sender::from_owned_fd(writes)?))
    } else {
        (None, None)
    };
    let ours = Ours {
        stdin: writes_stdin,
        stdout: Receiver::from_owned_fd(reads_stdout)?,
        stderr: Some(Receiver::from_owned_fd(reads_stderr)?),
        terminal: None,
    };
    let outputs = [stdout.into(), stderr.into()];
    Ok((ours, Theirs { stdin, outputs }))
}

/// A new terminal. Needs a runtime.
pub(crate) fn terminal(size: TtySize, stdin: bool) -> io::Result<(Ours, Theirs)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = rustix::pty::openpt(flags)?;
    rustix::pty::grantpt(&ours)?;
    rustix::pty::unlockpt(&ours)?;
    let theirs = File::from(rustix::pty::ioctl_tiocgptpeer(&ours, flags)?);
    // All of our descriptors are one open file: whoever reads or writes must not wait in the kernel.
    rustix::fs::fcntl_setfl(&ours, OFlags::RDWR | OFlags::NONBLOCK)?;
    let terminal = Terminal(ours.try_clone()?);
    terminal.resize(size)?;
    let writes = stdin.then(|| ours.try_clone()).transpose()?;
    let ours = Ours {
        stdin: writes.map(Sender::from_owned_fd_unchecked).transpose()?,
        stdout: Receiver::from_owned_fd_unchecked(ours)?,
        stderr: None,
        terminal: Some(terminal),
    };
    let theirs = Theirs {
        stdin: Some(theirs.try_clone()?),
        outputs: [theirs.try_clone()?, theirs],
    };
    Ok((ours, theirs))
}

/// Our side of a terminal.
#[derive(Debug)]
pub(crate) struct Terminal(OwnedFd);

impl Terminal {
    /// Whoever runs on it is told by SIGWINCH.
    pub(crate) fn resize(&self, size: TtySize) -> io::Result<()> {
        let size = Winsize {
            ws_row: size.rows,
            ws_col: size.columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        Ok(rustix::termios::tcsetwinsize(&self.0, size)?)
    }
}
