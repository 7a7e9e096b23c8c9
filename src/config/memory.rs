//! How much memory this process may use: what the machine has, or less when its control group says so.

use std::{fs, path::Path};

/// Bytes, or `None` where the system does not tell.
pub(super) fn limit() -> Option<u64> {
    limit_below(Path::new("/"))
}

fn limit_below(root: &Path) -> Option<u64> {
    let total = read(&root.join("proc/meminfo")).and_then(|text| parse_total(&text));
    let groups = read(&root.join("proc/self/cgroup")).unwrap_or_default();
    total.into_iter().chain(groups.lines().filter_map(|line| group_limit(root, line))).min()
}

/// The smallest limit of a control group and all groups around it. A line is `0::/path` (version 2) or
/// `5:memory:/path` (version 1); inside a container the path may not exist, but the mount's own root does.
fn group_limit(root: &Path, line: &str) -> Option<u64> {
    let mut fields = line.splitn(3, ':');
    let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let (mount, file) = if controllers.is_empty() {
        ("sys/fs/cgroup", "memory.max")
    } else if controllers.split(',').any(|controller| controller == "memory") {
        ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
    } else {
        return None;
    };
    let mount = root.join(mount);
    let group = mount.join(path.trim_start_matches('/'));
    group
        .ancestors()
        .take_while(|group| group.starts_with(&mount))
        .filter_map(|group| read(&group.join(file))?.trim().parse().ok())
        .min()
}

fn parse_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:       16384 kB\nMemFree:  100 kB\n");

    #[test]
    fn a_machine_without_limits() {
        assert_eq!(limit_below(machine(&[MEMINFO]).path()), Some(16 << 20));
        let root = machine(&[MEMINFO, ("proc/self/cgroup", "0::/a\n"), ("sys/fs/cgroup/a/memory.max", "max\n")]);
        assert_eq!(limit_below(root.path()), Some(16 << 20));
        assert_eq!(limit_below(machine(&[]).path()), None);
    }

    #[test]
    fn the_tightest_group_counts() {
        let root = machine(&[
            MEMINFO,
            ("proc/self/cgroup", "0::/system/relay\n"),
            ("sys/fs/cgroup/system/relay/memory.max", "max\n"),
            ("sys/fs/cgroup/system/memory.max", "4096\n"),
        ]);
        assert_eq!(limit_below(root.path()), Some(4096));
    }

    #[test]
    fn a_container_sees_its_limit_at_the_root() {
        let root = machine(&[MEMINFO, ("proc/self/cgroup", "0::/gone/away\n"), ("sys/fs/cgroup/memory.max", "8192")]);
        assert_eq!(limit_below(root.path()), Some(8192));
    }

    #[test]
    fn version_one_has_other_files() {
        let root = machine(&[
            MEMINFO,
            ("proc/self/cgroup", "7:cpu,cpuacct:/a\n5:memory:/a\n"),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "2048\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ]);
        assert_eq!(limit_below(root.path()), Some(2048));
    }
}
