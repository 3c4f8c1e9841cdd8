//! This very program on a kernel that lacks what newer ones have: under another name it has them refused to
//! itself, and to all that it starts, before it does anything else.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What a kernel can lack.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lacks {
    /// As before Linux 5.3, and in containers whose profile is older than that.
    Clone3,
    /// As before Linux 5.3.
    Pidfds,
}

const ALL: [Lacks; 2] = [Lacks::Clone3, Lacks::Pidfds];

impl Lacks {
    fn name(self) -> &'static str {
        match self {
            Self::Clone3 => "without-clone3",
            Self::Pidfds => "without-pidfds",
        }
    }

    fn calls(self) -> &'static [libc::c_long] {
        match self {
            Self::Clone3 => &[libc::SYS_clone3, libc::SYS_close_range],
            Self::Pidfds => &[
                libc::SYS_clone3,
                libc::SYS_close_range,
                libc::SYS_pidfd_open,
                libc::SYS_pidfd_send_signal,
            ],
        }
    }
}

/// This program under a name by which it lacks that: one such name beside it, however often it runs.
#[derive(Debug)]
pub(crate) struct Lacking(PathBuf);

impl Lacking {
    pub(crate) fn new(lacks: Lacks) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let file = |path: &Path| path.metadata().map(|file| file.ino()).ok();
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let link = program.with_file_name(format!("{name}-{}", lacks.name()));
        if file(&link) != file(&program) {
            // Of an earlier build, or not there; another run may be about to make it too.
            let _gone = std::fs::remove_file(&link);
            let _there = std::fs::hard_link(&program, &link);
        }
        assert!(link.exists(), "it can be given another name");
        Self(link)
    }

    pub(crate) fn program(&self) -> &Path {
        &self.0
    }
}

/// The first line of `main`: has refused what a program of this name lacks.
pub(crate) fn refuse_what_is_lacking() {
    let program = std::env::current_exe().unwrap_or_default();
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    if let Some(lacks) = ALL.into_iter().find(|lacks| name.ends_with(lacks.name())) {
        refuse(lacks.calls());
    }
}

/// From here on the kernel answers these calls as one that does not know them.
fn refuse(calls: &[libc::c_long]) {
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let step = |code, jt, k| libc::sock_filter { code, jt, jf: 0, k };
    let mut filter = vec![step(LOAD_NUMBER, 0, 0)];
    for (number, call) in calls.iter().enumerate() {
        // To the last step of all.
        let steps = u8::try_from(calls.len() - number).expect("few calls");
        let call = u32::try_from(*call).expect("a call's number");
        filter.push(step(JUMP_IF_EQUAL, steps, call));
    }
    filter.push(step(RETURN, 0, libc::SECCOMP_RET_ALLOW));
    let refused = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    filter.push(step(RETURN, 0, refused));
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).expect("a short filter"),
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the program points at as many steps as it says, and both live through the calls.
    #[expect(unsafe_code, reason = "no safe crate of ours installs a filter")]
    let installed = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    assert_eq!(installed, 0, "the filter cannot be installed");
}
