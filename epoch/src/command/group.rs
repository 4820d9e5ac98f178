//! Process groups: a program together with what it started.

use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use crate::failure::{Failure, FailureKind};

/// How long a group may take to end after SIGTERM, before SIGKILL.
pub const GRACE: Duration = Duration::from_secs(5);

/// A process group, by the id of its leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group(Pid);

impl Group {
    /// Ids of 0 and 1, which would mean the own group or every process, are none.
    pub fn new(id: u32) -> Option<Self> {
        i32::try_from(id).ok().filter(|id| *id > 1).map(|id| Self(Pid::from_raw(id)))
    }

    /// The process id of the leader.
    pub fn id(self) -> u32 {
        self.0.as_raw().unsigned_abs()
    }

    /// Whether a process of it is left; one that ended but was not waited for counts.
    pub fn exists(self) -> bool {
        killpg(self.0, None) != Err(nix::errno::Errno::ESRCH)
    }

    /// Ends all of it at once.
    pub fn kill(self) {
        // it may be gone already
        let _ = killpg(self.0, Signal::SIGKILL);
    }

    /// SIGTERM, and SIGKILL for what is left after [`GRACE`].
    pub async fn end(self) {
        let _ = killpg(self.0, Signal::SIGTERM);
        let deadline = Instant::now() + GRACE;
        while self.exists() {
            if Instant::now() >= deadline {
                self.kill();
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// When a process started, in ticks since the machine's start: tells it from another one that got the same id.
/// None if there is no such process, or it has ended and was not waited for.
pub fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name in parentheses may hold anything
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?;
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18)?.parse().ok())?
}

/// Changes with every start of the machine; process ids of another one mean nothing.
pub fn boot_id() -> Result<String, Failure> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).map_err(
        |error| Failure::new(FailureKind::Broken, format!("cannot read the machine's boot id: {error}")),
    )
}

/// Kills the group when the one who waits for it gives up.
#[derive(Debug)]
pub(super) struct KillOnDrop(pub(super) Option<Group>);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            group.kill();
        }
    }
}
