//! The machine's table of processes.

use std::path::Path;

use crate::failure::{Failure, FailureKind};

/// What is known of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) pid: u32,
    pub(super) group: u32,
    /// In ticks since the machine's start.
    pub(super) start_time: u64,
    /// It has ended, but was not waited for.
    pub(super) ended: bool,
}

/// None if there is no such process.
pub(super) fn status(pid: u32) -> Option<Status> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse(pid, &stat)
}

/// `man 5 proc_pid_stat`: `pid (name) state ppid pgrp …`, the start time is the 22nd field.
fn parse(pid: u32, stat: &str) -> Option<Status> {
    // the name may hold anything
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let ended = matches!(fields.next()?, "Z" | "X" | "x");
    let group = fields.nth(1)?.parse().ok()?;
    let start_time = fields.nth(16)?.parse().ok()?;
    Some(Status { pid, group, start_time, ended })
}

/// All processes that run.
pub(super) fn running() -> impl Iterator<Item = Status> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| status(entry.file_name().to_str()?.parse().ok()?))
        .filter(|status| !status.ended)
}

/// The value of `name` in the environment that `pid` was started with; none if it may not be read.
pub(super) fn variable(pid: u32, name: &str) -> Option<String> {
    let environment = std::fs::read(Path::new("/proc").join(pid.to_string()).join("environ")).ok()?;
    let mut entries = environment.split(|byte| *byte == 0);
    let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    String::from_utf8(value.to_vec()).ok()
}

/// When a process started, in ticks since the machine's start: tells it from another one that got the same id.
/// None if there is no such process, or it has ended and was not waited for.
pub fn start_time(pid: u32) -> Option<u64> {
    status(pid).filter(|status| !status.ended).map(|status| status.start_time)
}

/// Changes with every start of the machine; process ids of another one mean nothing.
pub fn boot_id() -> Result<String, Failure> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).map_err(
        |error| Failure::new(FailureKind::Broken, format!("cannot read the machine's boot id: {error}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_anything_in_it_does_not_shift_the_fields() {
        let stat = "7 (a ) Z 1 2) S 1 6 6 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9876 1 2";
        assert_eq!(parse(7, stat), Some(Status { pid: 7, group: 6, start_time: 9876, ended: false }));
        assert!(parse(7, &stat.replace(") S", ") Z")).unwrap().ended);
        assert_eq!(parse(7, "7 (cut off) S 1"), None);
    }

    #[test]
    fn this_process_is_found_in_the_table() {
        let own = std::process::id();
        assert_eq!(running().find(|status| status.pid == own), status(own));
        assert!(start_time(own).is_some());
        assert_eq!(variable(own, "PATH"), std::env::var("PATH").ok());
        assert_eq!(variable(own, "PAT"), None);
    }
}
