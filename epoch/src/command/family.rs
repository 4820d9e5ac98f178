//! A program together with what it started, so that all of it can be found and ended, also by a later process.
//!
//! A process belongs to it by its group, or by the variable [`MARK`] in the environment it was started with, which its
//! descendants inherit even if they begin a session of their own. Not found is what leaves the group and clears its
//! environment too, or runs as another user.

use std::collections::HashSet;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::process::{self, Status};
use crate::failure::{Failure, FailureKind};

/// How long a family may take to end after SIGTERM, before SIGKILL.
pub const GRACE: Duration = Duration::from_secs(5);
/// Between two looks at what is left; the first look comes sooner, the last later.
const LOOK: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));
/// The environment variable by which a program's descendants are recognised: `EPOCH/STEP/ATTEMPT/ACTION`.
pub const MARK: &str = "AUTOOPT_MARK";

/// A program that was started as the leader of a process group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// The process id of the leader, which is the id of the group.
    pub pgid: u32,
    /// Of the leader. With the boot it tells the process from a later one with the same id.
    pub start_time: u64,
    pub boot: String,
    /// The value of [`MARK`].
    pub mark: String,
    /// Whether members that left the group are ended too.
    pub strays: bool,
}

impl Family {
    /// Of a child that was not waited for yet.
    pub fn of(pid: Option<u32>, mark: String, strays: bool) -> Result<Self, Failure> {
        let status = pid.and_then(process::status).ok_or_else(|| {
            let reason = "a program was started, but cannot be found in /proc; is it mounted?";
            Failure::new(FailureKind::Broken, reason)
        })?;
        Ok(Self { pgid: status.pid, start_time: status.start_time, boot: process::boot_id()?, mark, strays })
    }

    /// Whether the leader is there.
    pub fn is_alive(&self) -> Result<bool, Failure> {
        Ok(self.boot == process::boot_id()? && process::start_time(self.pgid) == Some(self.start_time))
    }

    /// For the process that started it: SIGTERM to all of it, and SIGKILL for what is left after [`GRACE`].
    pub async fn end(&self) {
        end(vec![self.kin(true)]).await;
    }

    /// Ends all of it at once.
    pub fn kill(&self) {
        members(&[self.kin(true)]).for_each(|pid| send(pid, Signal::SIGKILL));
    }

    fn kin(&self, own_child: bool) -> Kin {
        let leader = process::status(self.pgid).map(|status| status.start_time);
        // no id is given away while it is a group's. But if the leader is gone, the group may have been too, and the
        // id may be of a later group whose leader is gone as well
        let group = match leader {
            Some(start_time) => start_time == self.start_time,
            None => own_child,
        };
        Kin {
            group: group.then_some(self.pgid),
            mark: self.mark.clone(),
            within: (!self.strays).then_some(self.pgid),
        }
    }
}

/// Ends what an earlier process of this program started: `families`, and whatever has one of `marks` as the beginning of
/// its mark. Process ids that belong to something else by now are let be.
pub async fn end_left(families: &[Family], marks: Vec<String>) -> Result<(), Failure> {
    let boot = process::boot_id()?;
    let known = families.iter().filter(|family| family.boot == boot).map(|family| family.kin(false));
    let marked = marks.into_iter().map(|mark| Kin { group: None, mark, within: None });
    end(known.chain(marked).collect()).await;
    Ok(())
}

/// How members are recognised.
struct Kin {
    /// Whoever is in this group.
    group: Option<u32>,
    /// Whoever has a mark that begins so,
    mark: String,
    /// but only in this group, if it says so.
    within: Option<u32>,
}

impl Kin {
    fn has(&self, status: Status, mark: Option<&str>) -> bool {
        let marked = mark.is_some_and(|mark| mark.starts_with(&self.mark));
        self.group == Some(status.group) || (marked && self.within.is_none_or(|group| group == status.group))
    }
}

fn members(kin: &[Kin]) -> impl Iterator<Item = u32> {
    process::running().filter_map(|status| {
        let mark = process::variable(status.pid, MARK);
        kin.iter().any(|kin| kin.has(status, mark.as_deref())).then_some(status.pid)
    })
}

async fn end(kin: Vec<Kin>) {
    if kin.is_empty() {
        return;
    }
    let kin = std::sync::Arc::new(kin);
    let deadline = Instant::now() + GRACE;
    let (mut told, mut pause) = (HashSet::new(), LOOK.0);
    loop {
        let looking = kin.clone();
        // reading about all processes of a large machine takes a while
        let found = tokio::task::spawn_blocking(move || members(&looking).collect::<Vec<_>>()).await;
        let left = match found {
            Ok(left) => left,
            Err(error) => {
                tracing::error!(%error, "whether processes are left could not be found out");
                return;
            }
        };
        let now = Instant::now();
        if left.is_empty() {
            return;
        }
        if now >= deadline + GRACE {
            tracing::error!(pids = ?left, "processes could not be ended, not even by SIGKILL");
            return;
        }
        for pid in left {
            if now >= deadline {
                send(pid, Signal::SIGKILL);
            } else if told.insert(pid) {
                send(pid, Signal::SIGTERM);
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(LOOK.1);
    }
}

fn send(pid: u32, signal: Signal) {
    // 0 and 1 would mean the own group and the whole machine; a process may be gone already
    if let Some(pid) = i32::try_from(pid).ok().filter(|pid| *pid > 1) {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Kills the family when the one who waits for it gives up.
#[derive(Debug)]
pub(super) struct KillOnDrop(pub(super) Option<Family>);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(family) = &self.0 {
            family.kill();
        }
    }
}
