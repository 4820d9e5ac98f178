//! `autoopt export`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use autoopt_coordinator::api::view::{ExperimentDetail, TrialPhase, TrialView};
use clap::ValueEnum;

use super::reference;
use crate::client::Client;
use crate::fault::{Fault, Kind};
use crate::show::{plain, put, say, say_json};

/// Write all trials of an experiment as a table or as JSON
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A row of the CSV is a trial, baselines and closings included: what it is, its values (parameter.NAME), its metrics
(metric.NAME), objective (and objective.2, … with whether it is of the front, where there are several), outcome and times. An empty field is a value that is not known. The JSON holds the experiment and
its trials as the HTTP API shows them.

Examples:
  autoopt export mariadb-oltp -o mariadb-oltp.csv
  autoopt export mariadb-oltp --format json | jq '.trials[].objective'
")]
pub(crate) struct Export {
    /// Name (the newest of that name) or id
    #[arg(value_parser = reference)]
    experiment: String,
    /// Where to write it; standard output without it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// If absent, what the file's name says, else CSV
    #[arg(long)]
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    Json,
}

impl Export {
    pub(crate) async fn run(self, client: &Client, json: bool) -> Result<(), Fault> {
        let detail = client.experiment(&self.experiment).await?;
        // by its id: the trials are those of this very experiment
        let trials = client.trials(&detail.summary.id.to_string()).await?;
        let bytes = match self.format(json) {
            Format::Csv => csv(&detail, &trials),
            Format::Json => {
                let value = serde_json::json!({"experiment": detail, "trials": trials});
                format!("{value:#}\n").into_bytes()
            }
        };
        let Some(file) = self.output else {
            put(&bytes);
            return Ok(());
        };
        let name = file.display();
        std::fs::write(&file, bytes)
            .map_err(|e| Fault::new(Kind::Failed, format!("cannot write `{name}`")).because(e))?;
        if json {
            say_json(&serde_json::json!({"file": file, "trials": trials.len()}));
        } else {
            say(format_args!("`{name}`: {} trials of `{}`", trials.len(), plain(&detail.summary.name)));
        }
        Ok(())
    }

    fn format(&self, json: bool) -> Format {
        let named = self.output.as_ref().and_then(|file| file.extension());
        match (self.format, named) {
            (Some(format), _) => format,
            (None, Some(extension)) if extension == "json" => Format::Json,
            (None, None) if json => Format::Json,
            _ => Format::Csv,
        }
    }
}

/// One line for each trial; columns for all parameters, and for all metrics that any trial has.
fn csv(detail: &ExperimentDetail, trials: &[TrialView]) -> Vec<u8> {
    let parameters: Vec<&str> = detail.spec.parameters.iter().map(|p| p.name.as_str()).collect();
    let measured: BTreeSet<&str> =
        trials.iter().flat_map(|trial| trial.metrics.keys()).map(String::as_str).collect();
    let mut out = csv::Writer::from_writer(Vec::new());
    let mut header: Vec<String> =
        ["number", "kind", "state", "outcome", "objective", "repeats"].map(str::to_owned).to_vec();
    let others = detail.spec.other_objectives.len();
    let front: BTreeSet<_> = detail.summary.front.iter().map(|f| f.trial).collect();
    header.extend((2..others + 2).map(|i| format!("objective.{i}")));
    header.extend((others > 0).then(|| "front".to_owned()));
    header.extend(parameters.iter().map(|name| format!("parameter.{name}")));
    header.extend(measured.iter().map(|name| format!("metric.{name}")));
    header.extend(["cluster", "submitted", "ended", "seconds", "trial", "note", "reason"].map(str::to_owned));
    let mut rows = vec![header];
    for trial in trials {
        let state = match trial.state {
            TrialPhase::Waiting => "waiting",
            TrialPhase::Running => "running",
            TrialPhase::Ended => "ended",
        };
        let mut row = vec![
            trial.number.to_string(),
            trial.kind.as_str().to_owned(),
            state.to_owned(),
            text(trial.outcome),
            text(trial.objective),
            trial.repeats.to_string(),
        ];
        row.extend((0..others).map(|i| text(trial.others.get(i))));
        row.extend((others > 0).then(|| text(front.contains(&trial.id).then_some("yes"))));
        row.extend(parameters.iter().map(|name| text(trial.parameters.get(*name))));
        row.extend(measured.iter().map(|name| text(trial.metrics.get(*name))));
        let seconds = trial.ended.map(|ended| ended.since(trial.submitted).as_secs_f64());
        row.extend([
            text(trial.cluster.as_ref()),
            trial.submitted.to_string(),
            text(trial.ended),
            text(seconds),
            trial.id.to_string(),
            text(trial.note.as_ref()),
            text(trial.reason.as_ref()),
        ]);
        rows.push(row);
    }
    for row in rows {
        out.write_record(row).expect("rows of one length, written to memory");
    }
    out.into_inner().expect("memory takes what is written")
}

fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
