//! `autoopt watch`.

use std::time::Duration;

use autoopt_coordinator::api::view::{EventView, ExperimentDetail};
use autoopt_coordinator::machine::Phase;
use autoopt_epoch::message::EventKind;
use autoopt_epoch::time::Timestamp;
use tokio::time::Instant;

use super::{interrupts, reference, status};
use crate::board::Board;
use crate::client::{Client, EventStream};
use crate::fault::{Fault, Kind};
use crate::show::{plain, say, say_json_line};
use crate::standing::{Standing, activity, usable};

/// Between two looks at what has arrived.
const TICK: Duration = Duration::from_millis(250);
/// Without events the coordinator is asked this often.
const REFRESH: Duration = Duration::from_secs(5);
/// How long the last events may come after the end that they tell of.
const AFTER_END: Duration = Duration::from_secs(2);

/// Follow an experiment to its end
#[derive(Debug, clap::Args)]
#[command(after_help = "\
On a terminal: what happened, a bar with the best so far and the time left, and what runs on each cluster. With --json one
event a line, and at the end a line {\"experiment\": …} as `autoopt status` prints it.

Ends when the experiment ends, with exit code 0, or 3 if it ended without a usable result. Interrupting it leaves the
experiment as it is.

Example:
  autoopt watch mariadb-oltp && autoopt export mariadb-oltp -o mariadb-oltp.csv
")]
pub(crate) struct Watch {
    /// Name (the newest of that name) or id
    #[arg(value_parser = reference)]
    experiment: String,
}

impl Watch {
    pub(crate) async fn run(self, client: &Client, json: bool) -> Result<(), Fault> {
        let detail = client.experiment(&self.experiment).await?;
        watch(client, detail, None, json).await
    }
}

/// Follows the experiment; its events from the position `after`, or from now on.
pub(super) async fn watch(
    client: &Client,
    detail: ExperimentDetail,
    after: Option<i64>,
    json: bool,
) -> Result<(), Fault> {
    let mut interrupts = interrupts()?;
    let mut picture = Picture { json, board: (!json).then(Board::new), detail };
    tokio::select! {
        result = follow(client, &mut picture, after) => result?,
        _ = interrupts.recv() => return Err(picture.interrupted()),
    }
    picture.end()
}

async fn follow(client: &Client, picture: &mut Picture, after: Option<i64>) -> Result<(), Fault> {
    // by its id: another one may take its name once it has ended
    let id = picture.detail.summary.id.to_string();
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel::<EventView>();
    let stream = EventStream::open(client, Some(&id), after).await?;
    let mut following = std::pin::pin!(stream.follow(|event| drop(sender.send(event))));
    picture.refresh(client, &id).await?;
    let mut refreshed = Instant::now();
    let mut stale = false;
    // of an experiment that ended before, nothing is told any more
    let mut told_end = after.is_none() && picture.detail.summary.phase == Phase::Ended;
    let mut ended: Option<Instant> = None;
    let mut ticks = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            result = &mut following => result?,
            Some(event) = events.recv() => {
                picture.tell(&event);
                stale = true;
                told_end |= event.kind == EventKind::ExperimentEnded;
            }
            _ = ticks.tick() => {
                if (stale && refreshed.elapsed() >= 2 * TICK) || refreshed.elapsed() >= REFRESH {
                    picture.refresh(client, &id).await?;
                    (refreshed, stale) = (Instant::now(), false);
                }
                picture.draw();
                if picture.detail.summary.phase == Phase::Ended {
                    let since = *ended.get_or_insert_with(Instant::now);
                    if told_end || since.elapsed() >= AFTER_END {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// What is shown.
struct Picture {
    json: bool,
    /// Absent where programs read.
    board: Option<Board>,
    detail: ExperimentDetail,
}

impl Picture {
    fn tell(&self, event: &EventView) {
        match &self.board {
            Some(board) => board.tell(event),
            None => say_json_line(event),
        }
    }

    /// Asks again; a coordinator that is away for a while is waited for.
    async fn refresh(&mut self, client: &Client, id: &str) -> Result<(), Fault> {
        match client.experiment(id).await {
            Ok(detail) => self.detail = detail,
            Err(fault) if fault.is_unreachable() => {
                if let Some(board) = &self.board {
                    board.trouble(fault.message());
                }
            }
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    fn draw(&mut self) {
        let Some(board) = &mut self.board else { return };
        let now = Timestamp::now();
        board.show(&Standing::of(&self.detail.summary, now));
        for cluster in &self.detail.summary.clusters {
            let epoch = self.detail.running.iter().find(|epoch| epoch.cluster == *cluster);
            board.cluster(cluster, &epoch.map_or_else(|| "-".into(), |epoch| activity(epoch, now)));
        }
    }

    fn interrupted(&self) -> Fault {
        if let Some(board) = &self.board {
            board.clear();
        }
        let name = &self.detail.summary.name;
        Fault::new(Kind::Interrupted, format!("no longer watched; `{name}` goes on"))
            .next(format!("`autoopt watch {name}` shows it again, `autoopt stop {name}` ends it"))
    }

    fn end(self) -> Result<(), Fault> {
        let name = plain(&self.detail.summary.name);
        if let Some(board) = &self.board {
            board.clear();
        }
        if self.json {
            say_json_line(&serde_json::json!({ "experiment": self.detail }));
        } else {
            say(status::describe(&self.detail, Timestamp::now()));
        }
        if usable(&self.detail.summary) {
            return Ok(());
        }
        Err(Fault::new(Kind::NoResult, format!("`{name}` ended without a usable result"))
            .next(format!("`autoopt events {name} --no-follow` tells what happened")))
    }
}
