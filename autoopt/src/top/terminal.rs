//! The terminal: keys, events and answers in, frames out.

use std::time::Duration;

use autoopt_coordinator::api::view::EventView;
use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::time::Timestamp;
use crossterm::event::{Event, EventStream as Keys};
use futures::StreamExt;
use ratatui::DefaultTerminal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::time::Instant;

use super::fetch::{DAY, Seen, seen};
use super::picture::{Picture, Then};
use super::view::{Page, frame};
use crate::client::{Client, EventStream};
use crate::fault::Fault;

/// Clocks and times left go on although nothing happens.
const TICK: Duration = Duration::from_millis(500);
/// Without events the coordinator is asked this often.
const REFRESH: Duration = Duration::from_secs(3);
/// Events come in bursts; between two questions this much passes.
const GAP: Duration = Duration::from_millis(300);
/// Between two tries to follow the events.
const PAUSE: Duration = Duration::from_secs(2);
/// Looks overlap by this much, so that no step is missed.
const OVERLAP: Duration = Duration::from_secs(60);
/// So many events before the first look are read for the log.
const BEFORE: i64 = 100;

/// What is to be asked next; each change of it is a reason to ask.
#[derive(Clone, Debug, Default, PartialEq)]
struct Question {
    detail: Option<ExperimentId>,
    /// Events that came.
    events: u64,
}

/// Shows it until a person has seen enough.
pub(crate) async fn live(client: &Client, picture: Picture, colours: bool) -> Result<(), Fault> {
    let mut terminal = ratatui::try_init()
        .map_err(|e| Fault::failed("cannot draw on this terminal").because(e).next("use `autoopt status`"))?;
    let shown = show(client, picture, colours, &mut terminal).await;
    ratatui::restore();
    shown.map_err(|e| Fault::failed("the terminal failed").because(e))
}

async fn show(
    client: &Client,
    mut picture: Picture,
    colours: bool,
    terminal: &mut DefaultTerminal,
) -> std::io::Result<()> {
    let (tell, mut events) = unbounded_channel();
    let (question, asked) = watch::channel(Question::default());
    let (answer, mut answers) = unbounded_channel();
    let position = picture.seen.timeline.position;
    let mut following = std::pin::pin!(follow(client, (position - BEFORE).max(0), tell));
    let mut asking = std::pin::pin!(ask(client, asked, answer));
    let mut keys = Keys::new();
    let mut ticks = tokio::time::interval(TICK);
    let mut ended = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            () = &mut following => {}
            () = &mut asking => {}
            Some(event) = events.recv() => {
                picture.tell(event);
                while let Ok(event) = events.try_recv() {
                    picture.tell(event);
                }
                question.send_modify(|question| question.events += 1);
            }
            Some(answer) = answers.recv() => match answer {
                Ok(seen) => picture.take(*seen, Timestamp::now()),
                Err(fault) => picture.failed(Fault::message(&fault), Timestamp::now()),
            },
            key = keys.next() => match key {
                Some(Ok(Event::Key(key))) => match picture.press(key) {
                    Then::Nothing => continue,
                    Then::Draw => {
                        let detail = picture.wanted();
                        question.send_if_modified(|q| std::mem::replace(&mut q.detail, detail) != detail);
                    }
                    Then::Quit => return Ok(()),
                },
                Some(Ok(_)) => {}
                // nobody sits there any more
                Some(Err(_)) | None => return Ok(()),
            },
            _ = ticks.tick() => {}
            _ = ended.recv() => return Ok(()),
        }
        draw(terminal, &mut picture, colours)?;
    }
}

fn draw(terminal: &mut DefaultTerminal, picture: &mut Picture, colours: bool) -> std::io::Result<()> {
    terminal.draw(|canvas| {
        let area = canvas.area();
        let page = Page { width: area.width.into(), height: Some(area.height.into()), colours };
        let (lines, scrolled) = frame(picture, Timestamp::now(), page);
        picture.scrolled = scrolled;
        canvas.render_widget(ratatui::widgets::Paragraph::new(lines), area);
    })?;
    Ok(())
}

/// Gives on what happens, for ever; a coordinator that is away, or stands by, is waited for.
async fn follow(client: &Client, after: i64, tell: UnboundedSender<EventView>) {
    let mut last = after;
    loop {
        if let Ok(stream) = EventStream::open(client, None, Some(last)).await {
            let each = |event: EventView| {
                last = event.seq;
                // the other end is there as long as this is asked to go on
                drop(tell.send(event));
            };
            drop(stream.follow(each).await);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks the coordinator whenever there is a reason, for ever.
async fn ask(
    client: &Client,
    mut question: watch::Receiver<Question>,
    answer: UnboundedSender<Result<Box<Seen>, Fault>>,
) {
    let mut known: Option<Instant> = None;
    loop {
        tokio::time::sleep(GAP).await;
        tokio::select! {
            _ = question.changed() => {}
            () = tokio::time::sleep(REFRESH) => {}
        }
        let detail = question.borrow_and_update().detail;
        let back = known.map_or(DAY, |known| known.elapsed() + OVERLAP);
        let began = Instant::now();
        let answered = seen(client, back, detail).await;
        if answered.is_ok() {
            known = Some(began);
        }
        drop(answer.send(answered.map(Box::new)));
    }
}
