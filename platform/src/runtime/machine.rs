//! What the machine gives this process: memory and file handles.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File handles that the process may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HandleLimit {
    /// When it was started.
    pub at_start: u64,
    /// Now: what the operating system allows at most.
    pub now: u64,
}

/// Raises the number of file handles to what the operating system allows at most. It never fails:
/// when it cannot be raised, it stays what it was.
#[must_use]
pub fn raise_handle_limit() -> HandleLimit {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let at_start = current.unwrap_or(u64::MAX);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let now = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if let Err(error) = raised {
        tracing::warn!(limit = now, %error, "could not raise the number of file handles");
    }
    HandleLimit { at_start, now }
}

/// Bytes of memory that this process may use: those of the machine, or fewer when it runs in a
/// control group. `None` when neither can be read.
#[must_use]
pub fn memory_bytes() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = limit_files(&groups, Path::new("/sys/fs/cgroup"));
    let limits =
        limits.iter().filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
    let physical = fs::read_to_string("/proc/meminfo").ok();
    let physical = physical.as_deref().and_then(total_of);
    limits.chain(physical).min()
}

/// Bytes of memory that this process has at this moment; `None` when it cannot be read.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    kibibytes_of(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// Bytes of addresses that this process has; `None` when it cannot be read.
#[must_use]
pub fn virtual_bytes() -> Option<u64> {
    kibibytes_of(&fs::read_to_string("/proc/self/status").ok()?, "VmSize:")
}

/// File handles that the process has; `None` when they cannot be counted.
#[must_use]
pub fn open_handles() -> Option<u64> {
    // One of them is of this look.
    Some((fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1))
}

/// File handles that the process may have.
#[must_use]
pub fn handle_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Whole seconds that the process had on CPUs.
#[must_use]
pub fn cpu_seconds() -> u64 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    u64::try_from(spent.tv_sec).unwrap_or_default()
}

/// Bytes that the process may lock in memory (RLIMIT_MEMLOCK); `None` when nothing limits it.
#[must_use]
pub fn lockable_bytes() -> Option<u64> {
    getrlimit(Resource::Memlock).current
}

/// What Linux allows when it does not say.
const USUAL_MAPPINGS: usize = 65_530;

/// Mappings that the kernel allows the process.
#[must_use]
pub fn mapping_limit() -> usize {
    let limit = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
    limit.trim().parse().unwrap_or(USUAL_MAPPINGS)
}

/// Bytes of the disk that a path lies on; `None` when it cannot be asked.
#[must_use]
pub fn disk_size_bytes(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    disk.f_blocks.checked_mul(disk.f_frsize)
}

/// The files that may hold the limits of the control groups named by `/proc/self/cgroup`: each group's
/// and those of all groups above.
fn limit_files(groups: &str, mount: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { continue };
        let (folder, name) = match controllers {
            "" => (mount.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|controller| controller == "memory") => {
                (mount.join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let group = Path::new(group.trim_start_matches('/'));
        files.extend(group.ancestors().map(|above| folder.join(above).join(name)));
    }
    files
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total_of(meminfo: &str) -> Option<u64> {
    kibibytes_of(meminfo, "MemTotal:")
}

/// A line such as `VmRSS:  512 kB`, in bytes.
fn kibibytes_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_process_has_is_read() {
        assert!(open_handles().unwrap() >= 3 && open_handles().unwrap() <= handle_limit());
        assert!(virtual_bytes().unwrap() >= resident_bytes().unwrap());
        assert!(cpu_seconds() < 1 << 40);
    }

    #[test]
    fn limits_of_both_versions_of_control_groups_are_found() {
        let groups = "5:cpu,cpuacct:/x\n4:memory:/a/b\n0::/c\nnonsense\n";
        let files = limit_files(groups, Path::new("/m"));
        let expected = [
            "/m/memory/a/b/memory.limit_in_bytes",
            "/m/memory/a/memory.limit_in_bytes",
            "/m/memory/memory.limit_in_bytes",
            "/m/c/memory.max",
            "/m/memory.max",
        ];
        assert_eq!(files, expected.map(PathBuf::from));
    }

    #[test]
    fn total_memory_is_read_in_bytes() {
        assert_eq!(
            total_of("MemTotal:       24682548 kB\nMemFree: 1 kB\n"),
            Some(24_682_548 << 10)
        );
        assert_eq!(total_of("MemFree: 1 kB\n"), None);
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn f_25_the_handle_limit_is_what_the_system_allows() {
        let limit = raise_handle_limit();
        assert!(limit.now >= limit.at_start);
        assert_eq!(raise_handle_limit(), HandleLimit { at_start: limit.now, now: limit.now });
    }
}
