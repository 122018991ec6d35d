//! places — where this process stands in the kernel's control groups, read from `/proc`.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The folder of this process for each controller of version 1, and under the empty name that of version 2. `mounts` is
/// `/proc/self/mountinfo`, `groups` is `/proc/self/cgroup`.
pub(super) fn places(mounts: &str, groups: &str) -> BTreeMap<String, PathBuf> {
    let mut places = BTreeMap::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else {
            continue;
        };
        for controller in controllers.split(',') {
            if let Some(place) = mounts.lines().find_map(|m| place(m, controller, group)) {
                places.insert(controller.to_owned(), place);
            }
        }
    }
    places
}

/// The folder of `group`, if this mount shows it.
fn place(mount: &str, controller: &str, group: &str) -> Option<PathBuf> {
    let (before, after) = mount.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let (root, point) = (before.next()?, before.next()?);
    let mut after = after.split(' ');
    let (kind, _, options) = (after.next()?, after.next()?, after.next()?);
    let is_it = match controller {
        "" => kind == "cgroup2",
        name => kind == "cgroup" && options.split(',').any(|option| option == name),
    };
    // In a container the mount may show a part of the tree only.
    let below = match root {
        "/" => group,
        root => group.strip_prefix(root)?,
    };
    is_it.then(|| PathBuf::from(point).join(below.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
24 1 0:22 / /proc rw - proc proc rw
31 25 0:27 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
32 25 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
33 25 0:29 /docker/7 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
";

    #[test]
    fn each_controller_has_its_place() {
        let groups = "3:memory:/docker/7/a\n2:cpu,cpuacct:/\n0::/user.slice/x.scope\n";
        let found = places(MOUNTS, groups);
        let expected = [
            ("", "/sys/fs/cgroup/unified/user.slice/x.scope"),
            ("cpu", "/sys/fs/cgroup/cpu,cpuacct/"),
            ("cpuacct", "/sys/fs/cgroup/cpu,cpuacct/"),
            ("memory", "/sys/fs/cgroup/memory/a"),
        ];
        let expected = expected.map(|(name, path)| (name.to_owned(), PathBuf::from(path)));
        assert_eq!(found, BTreeMap::from(expected));
    }

    #[test]
    fn what_no_mount_shows_is_nowhere() {
        assert_eq!(
            places(MOUNTS, "4:pids:/\n3:memory:/elsewhere\n"),
            BTreeMap::new()
        );
    }
}
