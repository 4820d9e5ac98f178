//! What the view knows, and what keys change about it.

use std::collections::VecDeque;

use autoopt_coordinator::api::view::{EventView, ExperimentSummary};
use autoopt_coordinator::machine::Phase;
use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::time::Timestamp;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::fetch::Seen;
use super::pace::Paces;
use crate::board;

/// Lines of the log that are kept.
const LOG: usize = 200;
/// Ended experiments that are shown beside the open ones.
const ENDED: usize = 3;

/// All that is drawn, but for the time.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) server: String,
    pub(crate) seen: Seen,
    pub(crate) paces: Paces,
    /// By how much the coordinator's clock is ahead of this machine's, in milliseconds.
    ahead: i64,
    /// What people want to read, oldest first.
    pub(crate) log: VecDeque<EventView>,
    /// Since when, by this machine's clock, and why nothing new is known.
    pub(crate) trouble: Option<(Timestamp, String)>,
    /// The experiment that keys act on.
    chosen: Option<ExperimentId>,
    /// Whether it alone is shown, and from which line on.
    pub(crate) looking: bool,
    pub(crate) scrolled: usize,
}

/// What follows from a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    Draw,
    Quit,
}

impl Picture {
    pub(crate) fn new(server: &str, seen: Seen, now: Timestamp) -> Self {
        let mut paces = Paces::default();
        paces.learn(&seen.timeline.spans);
        let mut picture = Self {
            server: server.to_owned(),
            ahead: ahead(&seen, now),
            seen,
            paces,
            log: VecDeque::new(),
            trouble: None,
            chosen: None,
            looking: false,
            scrolled: 0,
        };
        picture.choose(0);
        picture
    }

    /// Takes what the coordinator said at `now`.
    pub(crate) fn take(&mut self, mut seen: Seen, now: Timestamp) {
        self.paces.learn(&seen.timeline.spans);
        self.ahead = ahead(&seen, now);
        self.trouble = None;
        // what was asked before the key was pressed
        if seen.detail.is_none() && self.looking {
            seen.detail = self.seen.detail.take();
        }
        self.seen = seen;
        if self.chosen().is_none() {
            self.choose(0);
        }
    }

    /// It could not be asked; what is known stays.
    pub(crate) fn failed(&mut self, why: &str, now: Timestamp) {
        let since = self.trouble.as_ref().map_or(now, |(since, _)| *since);
        self.trouble = Some((since, why.to_owned()));
    }

    /// Takes an event, if people want to read it.
    pub(crate) fn tell(&mut self, event: EventView) {
        if board::tone(&event).is_some() {
            self.log.push_back(event);
            if self.log.len() > LOG {
                self.log.pop_front();
            }
        }
    }

    /// The coordinator's clock.
    pub(crate) fn there(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis(now.as_millis() + self.ahead)
    }

    /// The open experiments, newest first, and the latest that ended.
    pub(crate) fn experiments(&self) -> Vec<&ExperimentSummary> {
        let open = |e: &&ExperimentSummary| e.phase != Phase::Ended;
        let all = &self.seen.experiments;
        all.iter().filter(open).chain(all.iter().filter(|e| !open(e)).take(ENDED)).collect()
    }

    /// The experiment that keys act on.
    pub(crate) fn chosen(&self) -> Option<&ExperimentSummary> {
        self.experiments().into_iter().find(|e| Some(e.id) == self.chosen)
    }

    /// The one that has to be asked for with all its details.
    pub(crate) fn wanted(&self) -> Option<ExperimentId> {
        self.chosen.filter(|_| self.looking)
    }

    fn choose(&mut self, index: usize) {
        self.chosen = self.experiments().get(index).map(|e| e.id);
    }

    pub(crate) fn press(&mut self, key: KeyEvent) -> Then {
        if key.kind == KeyEventKind::Release {
            return Then::Nothing;
        }
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Then::Quit,
            KeyCode::Char('q') => return Then::Quit,
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::PageUp => self.step(-10),
            KeyCode::PageDown | KeyCode::Char(' ') => self.step(10),
            KeyCode::Enter if self.chosen.is_some() => (self.looking, self.scrolled) = (true, 0),
            KeyCode::Esc | KeyCode::Backspace | KeyCode::Left => {
                self.looking = false;
                self.seen.detail = None;
            }
            _ => return Then::Nothing,
        }
        Then::Draw
    }

    /// Down the list, or down the page of the one that is looked at.
    fn step(&mut self, by: isize) {
        if self.looking {
            self.scrolled = self.scrolled.saturating_add_signed(by);
            return;
        }
        let shown = self.experiments();
        let at = shown.iter().position(|e| Some(e.id) == self.chosen).unwrap_or(0);
        let to = at.saturating_add_signed(by).min(shown.len().saturating_sub(1));
        self.choose(to);
    }
}

fn ahead(seen: &Seen, now: Timestamp) -> i64 {
    seen.timeline.now.as_millis() - now.as_millis()
}
