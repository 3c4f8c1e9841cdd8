//! The system call by which a child is born.

use std::io;

/// What `clone3` takes, up to the field that says the control group (Linux 5.7).
#[repr(C)]
#[derive(Default)]
pub(super) struct CloneArguments {
    pub(super) flags: u64,
    pub(super) pidfd: u64,
    pub(super) child_tid: u64,
    pub(super) parent_tid: u64,
    pub(super) exit_signal: u64,
    pub(super) stack: u64,
    pub(super) stack_size: u64,
    pub(super) tls: u64,
    pub(super) set_tid: u64,
    pub(super) set_tid_size: u64,
    pub(super) cgroup: u64,
}

/// Makes a child that lives by `live`, and waits until it is another program or has ended.
///
/// # Safety
/// What `arguments` names must be open and live through the call. `live` must keep to what a child may do
/// that shares the memory of a parent with many threads: change nothing of it, allocate nothing, take no
/// lock, not unwind.
pub(super) unsafe fn into<T>(
    arguments: &mut CloneArguments,
    live: extern "C" fn(&T) -> !,
    given: &T,
) -> io::Result<u32> {
    // SAFETY: the caller's promise.
    let returned = unsafe { with_signals_blocked(|| native::clone(arguments, live, given)) };
    match u32::try_from(returned) {
        Ok(pid) => Ok(pid),
        Err(_) => Err(io::Error::from_raw_os_error(
            i32::try_from(-returned).unwrap_or(libc::EINVAL),
        )),
    }
}

/// No handler of ours may run in the child; it unblocks them itself when they are reset.
unsafe fn with_signals_blocked(act: impl FnOnce() -> i64) -> i64 {
    // SAFETY: both sets are filled by the calls that are there to fill them.
    unsafe {
        let (mut all, mut before): (libc::sigset_t, libc::sigset_t) =
            (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let returned = act();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        returned
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod native {
    //! The child shares our memory and has a stack of its own, as `posix_spawn` does it.

    use std::arch::asm;

    use super::CloneArguments;

    const CLONE_VM: u64 = 0x100;

    /// As much as the child's few calls need, many times over.
    const STACK: usize = 64 * 1024;

    pub(super) unsafe fn clone<T>(
        arguments: &mut CloneArguments,
        live: extern "C" fn(&T) -> !,
        given: &T,
    ) -> i64 {
        // Of what is aligned as a stack is.
        let mut stack = Vec::<u128>::with_capacity(STACK / size_of::<u128>());
        arguments.flags |= CLONE_VM;
        arguments.stack = stack.as_mut_ptr() as u64;
        arguments.stack_size = STACK as u64;
        let (arguments, size) = (&raw const *arguments, size_of::<CloneArguments>());
        let given = std::ptr::from_ref(given);
        let returned: i64;
        // SAFETY: the kernel keeps all registers but those named. The child wakes on its own stack, whose
        // end is aligned as a call wants it, enters `live` and never comes back, so that our stack is as it
        // was when we go on; we do so only when the child has left our memory (CLONE_VFORK), and till then
        // `stack` and `given` live.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            asm!(
                "syscall",
                "test rax, rax",
                "jnz 2f",
                "xor ebp, ebp",
                "mov rdi, r9",
                "call r8",
                "ud2",
                "2:",
                inlateout("rax") libc::SYS_clone3 => returned,
                in("rdi") arguments,
                in("rsi") size,
                in("r8") live,
                in("r9") given,
                lateout("rcx") _,
                lateout("r11") _,
            );
        }
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        unsafe {
            asm!(
                "svc 0",
                "cbnz x0, 2f",
                "mov x29, xzr",
                "mov x0, x3",
                "blr x2",
                "brk 1",
                "2:",
                inlateout("x0") arguments => returned,
                in("x1") size,
                in("x2") live,
                in("x3") given,
                in("x8") libc::SYS_clone3,
            );
        }
        drop(stack);
        returned
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod native {
    //! The child has a copy of our memory, as after a fork.

    use super::CloneArguments;

    pub(super) unsafe fn clone<T>(
        arguments: &mut CloneArguments,
        live: extern "C" fn(&T) -> !,
        given: &T,
    ) -> i64 {
        // SAFETY: the arguments live through the call, and the size is theirs.
        let returned = unsafe {
            libc::syscall(
                libc::SYS_clone3,
                &raw const *arguments,
                size_of::<CloneArguments>(),
            )
        };
        match returned {
            0 => live(given),
            1.. => returned,
            _ => {
                -(std::io::Error::last_os_error()
                    .raw_os_error()
                    .unwrap_or(libc::EINVAL)
                    .into())
            }
        }
    }
}
