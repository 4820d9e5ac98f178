//! What a person sees while an experiment runs: lines of what happened, below them a bar and what runs on each cluster.
//! Where there is no terminal, the lines alone.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use autoopt_epoch::message::{Event, EventKind};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::show::{Tone, plain, say};
use crate::standing::Standing;

/// The picture.
pub(crate) struct Board {
    all: MultiProgress,
    bar: ProgressBar,
    clusters: BTreeMap<String, ProgressBar>,
}

impl Board {
    /// Draws on standard error, if that is a terminal.
    pub(crate) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let all = MultiProgress::with_draw_target(target);
        let bar = all.add(ProgressBar::new(0));
        bar.set_style(style("{bar:20} {pos}/{len} trials  {wide_msg}"));
        Self { all, bar, clusters: BTreeMap::new() }
    }

    /// What is done and what is left.
    pub(crate) fn show(&self, standing: &Standing) {
        self.bar.set_length(standing.total.max(standing.done).into());
        self.bar.set_position(standing.done.into());
        // the end of it is cut off where the terminal is narrow
        let parts = [standing.time(), standing.result()];
        let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        self.bar.set_message(parts.join("; "));
    }

    /// What the bar says instead, until the next [`show`](Self::show).
    pub(crate) fn trouble(&self, text: &str) {
        self.bar.set_message(plain(text));
    }

    /// What runs on a cluster.
    pub(crate) fn cluster(&mut self, name: &str, activity: &str) {
        let line = self.clusters.entry(name.to_owned()).or_insert_with(|| {
            let line = self.all.add(ProgressBar::new(0));
            line.set_style(style("{wide_msg}"));
            line
        });
        line.set_message(format!("{}  {}", plain(name), plain(activity)));
    }

    /// A line for the event, if people want to read it.
    pub(crate) fn tell(&self, event: &Event) {
        if let Some(tone) = tone(event) {
            self.all.suspend(|| say(tone.paint(&event.message)));
        }
    }

    /// Takes bar and clusters away; the lines stay.
    pub(crate) fn clear(&self) {
        // one that is not finished is drawn once more when it is dropped
        self.clusters.values().for_each(ProgressBar::finish_and_clear);
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// How an event that people want to read is coloured.
pub(crate) fn tone(event: &Event) -> Option<Tone> {
    match event.kind {
        EventKind::TrialEnded => match event.detail.get("outcome").and_then(|o| o.as_str()) {
            Some("measured") if event.detail["best"] == true => Some(Tone::Good),
            Some("measured" | "abandoned") | None => Some(Tone::Usual),
            Some(_) => Some(Tone::Bad),
        },
        EventKind::StageFailed
        | EventKind::StageRetried
        | EventKind::LeaseExpired
        | EventKind::ClusterPaused
        | EventKind::OptimizerSilent
        | EventKind::TrialRejected => Some(Tone::Bad),
        EventKind::ClusterResumed
        | EventKind::ExperimentPaused
        | EventKind::ExperimentResumed
        | EventKind::ExperimentStopping
        | EventKind::ConfirmationStarted
        | EventKind::ExperimentEnded => Some(Tone::Usual),
        EventKind::ConfirmationEnded => {
            let others = event.detail["other_claims"].as_array();
            let mut claims = std::iter::once(&event.detail["claim"]).chain(others.into_iter().flatten());
            match claims.all(|claim| claim["verdict"] == "shown") {
                true => Some(Tone::Good),
                false => Some(Tone::Bad),
            }
        }
        _ => None,
    }
}
