//! What processes use up, by the word of `/proc`.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

use rustix::io::Errno;

use super::process::Identity;

/// What a tree of processes uses now, and has used.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TreeUsage {
    /// Of the living, and of their children that they have seen end.
    pub(crate) cpu: Duration,
    pub(crate) threads: u64,
}

/// A process and all that descend from it.
pub(crate) fn tree(root: u32) -> TreeUsage {
    let mut usage = TreeUsage::default();
    for pid in descendants(root) {
        // Who has ended meanwhile is counted with its parent.
        if let Some(one) = one(pid) {
            usage.cpu += one.cpu;
            usage.threads += one.threads;
        }
    }
    usage
}

/// The memory that these processes hold and that no file could give back, what they share counted once for
/// each.
pub(crate) fn memory(pids: &[u32]) -> u64 {
    pids.iter().filter_map(|&pid| memory_of(pid)).sum()
}

/// Bytes that these processes have read from disks, and written to them; with those of their children that they have
/// seen end. `None` where the kernel keeps it from us.
pub(crate) fn io(pids: &[u32]) -> Option<(u64, u64)> {
    let mut all = (0, 0);
    for pid in pids {
        let text = match fs::read_to_string(format!("/proc/{pid}/io")) {
            Ok(text) => text,
            // Who has ended meanwhile is counted with its parent.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) if Errno::from_io_error(&error) == Some(Errno::SRCH) => continue,
            // The file of one that nobody has waited for yet is the superuser's.
            Err(error)
                if error.kind() == ErrorKind::PermissionDenied
                    && Identity::of(*pid).is_none_or(Identity::is_zombie) =>
            {
                continue;
            }
            Err(_) => return None,
        };
        let count = |name| {
            let value = text.lines().find_map(|line| line.strip_prefix(name));
            value?.trim().parse::<u64>().ok()
        };
        // What was removed before it was written never went to a disk.
        let cancelled = count("cancelled_write_bytes:")?;
        all.0 += count("read_bytes:")?;
        all.1 += count("write_bytes:")?.saturating_sub(cancelled);
    }
    Some(all)
}

/// A process and all that descend from it, itself first.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    // Who is moved to another parent while we look could be met twice.
    let mut met = HashSet::from([root]);
    let mut all = vec![root];
    let mut at = 0;
    while let Some(&pid) = all.get(at) {
        at += 1;
        let children = fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
        for child in children.flat_map(|list| numbers(&list)) {
            if met.insert(child) {
                all.push(child);
            }
        }
    }
    all
}

fn numbers(list: &str) -> Vec<u32> {
    list.split_ascii_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect()
}

fn one(pid: u32) -> Option<TreeUsage> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything: what follows the last one is ours to split.
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 2..)?).ok()?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    // utime, stime, cutime, cstime: fields 14 to 17 of the file; the number of threads is the 20th.
    let ticks = (14..=17).filter_map(field).sum::<u64>();
    Some(TreeUsage {
        cpu: Duration::from_nanos(ticks.saturating_mul(1_000_000_000 / TICKS_A_SECOND)),
        threads: field(20)?,
    })
}

/// What the kernel counts processor time in towards programs, on every architecture that we run on.
const TICKS_A_SECOND: u64 = 100;

fn memory_of(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kibibytes = status
        .lines()
        .filter_map(|line| {
            let value = line
                .strip_prefix("RssAnon:")
                .or_else(|| line.strip_prefix("RssShmem:"))?;
            value.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        })
        .sum::<u64>();
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_a_processor_and_holds_memory() {
        let me = std::process::id();
        let begun = std::time::Instant::now();
        while tree(me).cpu.is_zero() && begun.elapsed() < Duration::from_secs(10) {}
        let usage = tree(me);
        assert!(!usage.cpu.is_zero() && usage.threads > 0, "{usage:?}");
        assert!(memory(&[me]) > 100_000);
    }
}
