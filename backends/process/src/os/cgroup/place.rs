//! Where a swarm's groups go: decided by what the kernel shows, before anything is made.

use std::path::{Path, PathBuf};

/// What can be limited there.
pub(super) const MEMORY: &str = "memory";
pub(super) const PIDS: &str = "pids";

/// What the kernel shows of one group of cgroup v2.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Group {
    /// The root of the hierarchy, which is the only group that may hold processes and grant controllers.
    pub(super) is_root: bool,
    pub(super) has_processes: bool,
    /// The controllers that it has itself.
    pub(super) has: Vec<String>,
    /// Those that it gives to the groups beneath it.
    pub(super) grants: Vec<String>,
    /// Whether we may change that.
    pub(super) is_ours: bool,
}

impl Group {
    /// Whether it gives the controller to the groups beneath it, if need be from now on.
    ///
    /// A group that has processes of its own must not be made to: what is beneath it could then take none.
    pub(super) fn can_grant(&self, controller: &str) -> bool {
        let is_among = |list: &[String]| list.iter().any(|name| name == controller);
        let may_begin = self.is_ours && (self.is_root || !self.has_processes);
        is_among(&self.grants) || (may_begin && is_among(&self.has))
    }
}

/// Where a swarm's groups go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The group of v2 beneath which the swarm's own is made.
    pub(super) unified: PathBuf,
    pub(super) memory: By,
    pub(super) pids: By,
}

/// By what something is limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    V2,
    /// The group of v1 beneath which the swarm's own is made.
    V1(PathBuf),
    Nothing,
}

/// Decides by `/proc/self/mountinfo`, `/proc/self/cgroup`, and what `look` sees of a group. `None`: there is
/// no cgroup v2 here.
pub(super) fn choose(mounts: &str, own: &str, look: impl Fn(&Path) -> Group) -> Option<Place> {
    let here = own_group(mounts, own, None)?;
    let top = unified_mount(mounts)?;
    // Where we are, if that may be divided further; else at the top, if we are let.
    let unified = [&here, &top]
        .into_iter()
        .find(|group| look(group).can_grant(MEMORY))
        .unwrap_or(&here);
    let group = look(unified);
    let by = |controller| {
        if group.can_grant(controller) {
            return By::V2;
        }
        own_group(mounts, own, Some(controller)).map_or(By::Nothing, By::V1)
    };
    Some(Place {
        unified: unified.clone(),
        memory: by(MEMORY),
        pids: by(PIDS),
    })
}

/// Where cgroup v2 is mounted.
fn unified_mount(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ")
            .then(|| place.split(' ').nth(4).map(PathBuf::from))?
    })
}

/// The folder of the group in which this process is: of the v1 hierarchy that has `controller`, or of v2.
fn own_group(mounts: &str, own: &str, controller: Option<&str>) -> Option<PathBuf> {
    let within = own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let is_it = match controller {
            None => number == "0" && controllers.is_empty(),
            Some(controller) => controllers.split(',').any(|name| name == controller),
        };
        is_it.then_some(path)
    })?;
    let (root, mount) = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ');
        let (root, mount) = (place.nth(3)?, place.next()?);
        let mut kind = kind.split(' ');
        let (kind, options) = (kind.next()?, kind.nth(1)?);
        let is_it = match controller {
            None => kind == "cgroup2",
            Some(controller) => {
                kind == "cgroup" && options.split(',').any(|name| name == controller)
            }
        };
        is_it.then_some((root, mount))
    })?;
    // A container's mount may show only a part of the tree, whose root is then given.
    let within = within.strip_prefix(root).unwrap_or(within);
    Some(Path::new(mount).join(within.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 25 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";

    const PURE: &str =
        "24 22 0:21 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn root(is_ours: bool) -> Group {
        Group {
            is_root: true,
            has_processes: true,
            has: names(&["cpu", "memory", "pids"]),
            grants: names(&["cpu"]),
            is_ours,
        }
    }

    /// The group in which we are ourselves.
    fn occupied() -> Group {
        Group {
            has_processes: true,
            has: names(&["memory", "pids"]),
            is_ours: true,
            ..Group::default()
        }
    }

    fn chosen(mounts: &str, own: &str, groups: &[(&str, Group)]) -> Option<Place> {
        choose(mounts, own, |path| {
            let found = groups.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, group)| group.clone()).unwrap_or_default()
        })
    }

    fn place(unified: &str, memory: By, pids: By) -> Place {
        let unified = PathBuf::from(unified);
        Place {
            unified,
            memory,
            pids,
        }
    }

    #[test]
    fn on_a_hybrid_host_the_tree_lies_in_v2_and_limits_are_set_in_v1() {
        let own = "9:name=systemd:/\n4:memory:/box/1\n0::/box/2";
        let here = "/sys/fs/cgroup/unified/box/2";
        let no_controllers = Group {
            is_root: true,
            is_ours: true,
            ..Group::default()
        };
        assert_eq!(
            chosen(HYBRID, own, &[("/sys/fs/cgroup/unified", no_controllers)]),
            Some(place(
                here,
                By::V1("/sys/fs/cgroup/memory/box/1".into()),
                By::Nothing
            ))
        );
    }

    #[test]
    fn root_on_a_host_of_v2_alone_puts_the_tree_at_the_top() {
        let own = "0::/user.slice/user-0.slice/session-1.scope";
        let here = "/sys/fs/cgroup/user.slice/user-0.slice/session-1.scope";
        assert_eq!(
            chosen(
                PURE,
                own,
                &[(here, occupied()), ("/sys/fs/cgroup", root(true))]
            ),
            Some(place("/sys/fs/cgroup", By::V2, By::V2))
        );
    }

    #[test]
    fn a_user_on_a_host_of_v2_alone_has_a_tree_and_no_limits() {
        let own = "0::/user.slice/session-1.scope";
        let here = "/sys/fs/cgroup/user.slice/session-1.scope";
        assert_eq!(
            chosen(
                PURE,
                own,
                &[(here, occupied()), ("/sys/fs/cgroup", root(false))]
            ),
            Some(place(here, By::Nothing, By::Nothing))
        );
    }

    #[test]
    fn a_group_that_was_prepared_for_us_is_divided_where_we_are() {
        let here = "/sys/fs/cgroup/unit.service";
        let prepared = Group {
            grants: names(&["memory"]),
            ..occupied()
        };
        assert_eq!(
            chosen(
                PURE,
                "0::/unit.service",
                &[(here, prepared), ("/sys/fs/cgroup", root(true))]
            ),
            Some(place(here, By::V2, By::Nothing))
        );
    }

    #[test]
    fn in_a_container_nothing_above_its_own_group_is_touched() {
        let mounts = "33 30 0:29 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw";
        let own = "0::/docker/abc/work";
        let top = Group {
            is_root: false,
            ..occupied()
        };
        assert_eq!(
            chosen(mounts, own, &[("/sys/fs/cgroup", top)]),
            Some(place("/sys/fs/cgroup/work", By::Nothing, By::Nothing))
        );
    }

    #[test]
    fn without_v2_there_is_no_place() {
        let mounts = "32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";
        assert_eq!(chosen(mounts, "4:memory:/", &[]), None);
        assert_eq!(chosen("", "", &[]), None);
        // Mounted where nobody told us in which group we are, as in a chroot with a proc of its own.
        assert_eq!(chosen(PURE, "", &[]), None);
    }

    #[test]
    fn a_group_without_processes_may_begin_to_grant_and_one_that_is_not_ours_may_not() {
        let empty = Group {
            has_processes: false,
            ..occupied()
        };
        assert!(empty.can_grant(MEMORY));
        assert!(!empty.can_grant("cpu"), "it has none itself");
        assert!(!occupied().can_grant(MEMORY));
        assert!(root(true).can_grant(PIDS));
        assert!(!root(false).can_grant(PIDS));
        assert!(root(false).can_grant("cpu"), "it does already");
    }
}
