//! A trial for people.

use autoopt_coordinator::api::view::{
    AttemptEnding, AttemptView, EpochDetail, EpochPhase, TrialDetail, TrialPhase,
};
use autoopt_epoch::time::Timestamp;

use crate::show::{Tone, cell, figure, lines, plain, spell_short, table};
use crate::standing::{activity, title};

pub(super) fn describe(detail: &TrialDetail) -> String {
    let trial = &detail.trial;
    let mut text = format!("{} of {}: ", title(trial.kind, trial.number), plain(&trial.experiment));
    text.push_str(&match (trial.state, trial.outcome) {
        (_, Some(outcome)) => Tone::of_outcome(outcome).paint(outcome.as_str()),
        (TrialPhase::Waiting, None) => "waits for a free cluster".into(),
        (TrialPhase::Running, None) => Tone::Busy.paint("running"),
        (TrialPhase::Ended, None) => "ended".into(),
    });
    if let Some(reason) = &trial.reason {
        text.push_str(&format!(": {}", lines(reason)));
    }
    text.push_str(&format!("\n  id         {}", trial.id));
    if let Some(note) = &trial.note {
        text.push_str(&format!("\n  note       {}", plain(note)));
    }
    if let Some(cluster) = &trial.cluster {
        text.push_str(&format!("\n  cluster    {}", plain(cluster)));
    }
    text.push_str(&format!("\n  submitted  {}", trial.submitted));
    if let Some(ended) = trial.ended {
        text.push_str(&format!(
            "\n  ended      {ended}, after {}",
            spell_short(ended.since(trial.submitted))
        ));
    }
    if let Some(objective) = trial.objective {
        let of =
            if trial.repeats > 1 { format!(", the mean of {} epochs", trial.repeats) } else { String::new() };
        text.push_str(&format!("\n  objective  {}{of}", figure(objective)));
    }
    let mut values = table(&["parameter", "value"]);
    for (name, value) in &trial.parameters {
        values.add_row([cell(name), cell(value)]);
    }
    text.push_str(&format!("\n\n{}", values.trim_fmt()));
    if !trial.metrics.is_empty() {
        let mut metrics = table(&["metric", "value"]);
        for (name, value) in &trial.metrics {
            metrics.add_row([cell(name), cell(figure(*value))]);
        }
        text.push_str(&format!("\n\n{}", metrics.trim_fmt()));
    }
    for epoch in &detail.epochs {
        text.push_str(&format!("\n\n{}", describe_epoch(epoch)));
    }
    text
}

fn describe_epoch(detail: &EpochDetail) -> String {
    let epoch = &detail.epoch;
    let mut text = format!("epoch {} on {}: ", epoch.id, plain(&epoch.cluster));
    text.push_str(&match (epoch.state, epoch.outcome) {
        (EpochPhase::Ended, Some(outcome)) => Tone::of_outcome(outcome).paint(outcome.as_str()),
        (EpochPhase::Ended, None) => "ended".into(),
        _ => plain(&activity(epoch, Timestamp::now())),
    });
    if !detail.attempts.is_empty() {
        let mut attempts =
            table(&["step", "stage", "action", "attempt", "ended", "took", "worker", "raw output"]);
        for attempt in &detail.attempts {
            attempts.add_row(row(attempt));
        }
        text.push_str(&format!("\n{}", attempts.trim_fmt()));
    }
    text
}

fn row(attempt: &AttemptView) -> Vec<comfy_table::Cell> {
    let (tone, ending) = match (attempt.ending, attempt.kind) {
        (AttemptEnding::Done, _) => (Tone::Good, "done".to_owned()),
        (AttemptEnding::Failed, Some(kind)) => (Tone::Bad, kind.to_string()),
        (AttemptEnding::Failed, None) => (Tone::Bad, "failed".to_owned()),
        (AttemptEnding::Superseded, _) => (Tone::Faint, "superseded".to_owned()),
    };
    let because = attempt.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let took = attempt.started.map(|started| spell_short(attempt.ended.since(started)));
    let artifacts: Vec<&str> = attempt.artifacts.iter().map(|artifact| artifact.name.as_str()).collect();
    vec![
        cell(attempt.step + 1),
        cell(attempt.stage),
        cell(attempt.action.as_str()),
        cell(attempt.attempt),
        tone.cell(ending + &because),
        cell(took.as_deref().unwrap_or("-")),
        cell(attempt.worker.as_deref().unwrap_or("-")),
        cell(artifacts.join(", ")),
    ]
}
