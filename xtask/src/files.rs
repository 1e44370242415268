//! `layers`, towards the disk: only the listed files and folders reach files themselves. Roles are not
//! among them: they go through platform's `runtime::files`, where each step can be made to fail. What
//! clocks, threads and randomness may be used is clippy's to say (`clippy.toml`).

use crate::rooms;

/// The packages that run in a server.
const PACKAGES: [&str; 7] = [
    "platform/src",
    "data-node/src",
    "historical-node/src",
    "realtime-node/src",
    "broker/src",
    "coordinator/src",
    "server/src",
];

/// The modules by which a file is reached.
const NAMES: [&str; 2] = ["std::fs", "tokio::fs"];

/// Who opens files: the door itself, the log, the storages, the metadata store, and in the server the
/// command line and what proves the data folder before any role starts.
const DOORS: [&str; 19] = [
    "platform/src/config/mod.rs",
    "platform/src/metadata/sqlite/",
    "platform/src/runtime/allocator.rs",
    "platform/src/runtime/files/",
    "platform/src/runtime/folder_lock.rs",
    "platform/src/runtime/machine.rs",
    "platform/src/runtime/mapping.rs",
    "platform/src/spill/local.rs",
    "platform/src/storage/local.rs",
    "platform/src/storage/object/",
    "platform/src/storage/store.rs",
    "platform/src/storage/unreliable/",
    "platform/src/wal/",
    "server/src/cluster/incarnation.rs",
    "server/src/cmd/",
    "server/src/integrity/identity.rs",
    "server/src/integrity/logs.rs",
    "server/src/integrity/open.rs",
    "server/src/integrity/rebuild.rs",
];

/// What is wrong.
pub(crate) fn check() -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    for package in PACKAGES {
        files.extend(rooms::files_of(package)?);
    }
    Ok(faults(files.iter().map(|file| (file.path.as_str(), file.text.as_str()))))
}

fn faults<'f>(files: impl Iterator<Item = (&'f str, &'f str)>) -> Vec<String> {
    let (mut faults, mut used) = (Vec::new(), [false; DOORS.len()]);
    for (path, text) in files {
        let Some(name) = NAMES.into_iter().find(|name| code_of(text).contains(name)) else {
            continue;
        };
        match DOORS.iter().position(|door| path.starts_with(door)) {
            Some(door) => used[door] = true,
            None => faults.push(format!(
                "{path}: {name} is for the doors listed in xtask/src/files.rs; use platform's \
                 `runtime::files`, or add it there on purpose"
            )),
        }
    }
    for (door, _) in DOORS.iter().zip(used).filter(|(_, used)| !used) {
        faults.push(format!("'{door}' opens no file, strike it from xtask/src/files.rs"));
    }
    faults
}

/// The text before the tests of a file.
fn code_of(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_opened_by_doors_and_by_tests() {
        let of_doors: Vec<String> = DOORS.iter().map(|door| format!("{door}x.rs")).collect();
        let doors = || of_doors.iter().map(|door| (door.as_str(), "use std::fs::File;"));
        assert_eq!(faults(doors()), Vec::<String>::new());
        let tested = "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        assert_eq!(faults(doors().chain([("broker/src/a.rs", tested)])), Vec::<String>::new());
        let wrong = ("broker/src/a.rs", "let x = tokio::fs::read(y);");
        assert_eq!(faults(doors().chain([wrong])).len(), 1);
        assert!(faults(doors().skip(1))[0].contains("strike it"));
    }
}
