//! `autoopt logs`.

use autoopt_epoch::bus::amqp::log::{From, read};
use autoopt_epoch::log::{Level, Record};
use autoopt_epoch::time::{Period, Timestamp};
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;

use super::dead_letters::{Bus, unusable};
use super::interrupts;
use crate::fault::Fault;
use crate::show::{Tone, plain, say, say_json_line};

/// Fields that have a place of their own in a line.
const PLACED: [&str; 8] =
    ["experiment", "experiment.id", "trial", "trial.number", "epoch", "cluster", "stage", "event"];

/// Show what all services log, in one place, and follow it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The broker keeps the newest 100 MB of what the services log; they send it unless `log.share` is false. Talks to the broker, not to
the coordinator.

Examples:
  autoopt logs -f                              from now on, all services
  autoopt logs nova-weights#12                 what was logged about a trial
  autoopt logs -f --since 10m --cluster lab-1 --level warn
")]
pub(crate) struct Logs {
    #[command(flatten)]
    bus: Bus,
    /// Only about an experiment (name or id) or a trial (`NAME#NUMBER` or id)
    about: Option<String>,
    /// Go on with what is logged from now on; with what is there already only by --since
    #[arg(short, long)]
    follow: bool,
    /// Only from this service: `coordinator`, `optimizer`, `worker-bench`, …
    #[arg(long)]
    service: Option<String>,
    /// Only about this cluster
    #[arg(long)]
    cluster: Option<String>,
    /// Only what is as serious
    #[arg(long, value_parser = level())]
    level: Option<Level>,
    /// Only what is not older, such as `10m` or `2h`
    #[arg(long, value_name = "PERIOD")]
    since: Option<Period>,
}

fn level() -> impl TypedValueParser<Value = Level> {
    PossibleValuesParser::new(["error", "warn", "info", "debug", "trace"])
        .try_map(|name| serde_json::from_value::<Level>(name.into()))
}

impl Logs {
    pub(crate) async fn run(self, json: bool) -> Result<(), Fault> {
        let since = self.since.map(|period| Timestamp::now().before(period.0));
        let from = match since {
            Some(at) => From::Time(at),
            None if self.follow => From::Now,
            None => From::Start,
        };
        let print = |record: Record| {
            if !self.wants(&record) || since.is_some_and(|at| record.at < at) {
                return;
            }
            if json {
                say_json_line(&record);
            } else {
                say(line(&record));
            }
        };
        let mut interrupts = interrupts()?;
        let reading = read(&self.bus.bus, from, self.follow, print);
        tokio::select! {
            result = reading => result.map_err(unusable),
            // following ends this way and no other
            _ = interrupts.recv() => Ok(()),
        }
    }

    fn wants(&self, record: &Record) -> bool {
        self.level.is_none_or(|level| record.level <= level)
            && self
                .service
                .as_ref()
                .is_none_or(|service| record.service == service.strip_prefix("autoopt-").unwrap_or(service))
            && self.cluster.as_deref().is_none_or(|cluster| record.text("cluster") == Some(cluster))
            && self.about.as_deref().is_none_or(|about| is_about(record, about))
    }
}

/// Whether a record is about an experiment or a trial, each by name or id.
fn is_about(record: &Record, about: &str) -> bool {
    let is = |field, wanted: &str| record.text(field) == Some(wanted);
    if is("experiment", about) || is("experiment.id", about) || is("trial", about) {
        return true;
    }
    let number = record.fields.get("trial.number").and_then(serde_json::Value::as_u64);
    about.rsplit_once('#').is_some_and(|(experiment, wanted)| {
        (is("experiment", experiment) || is("experiment.id", experiment))
            && wanted.parse().ok() == number
            && number.is_some()
    })
}

/// A record on one line, for people.
fn line(record: &Record) -> String {
    let tone = match record.level {
        Level::Error | Level::Warn => Tone::Bad,
        Level::Info => Tone::Usual,
        Level::Debug | Level::Trace => Tone::Faint,
    };
    let service = match record.text("cluster") {
        Some(cluster) => format!("{}@{cluster}", record.service),
        None => record.service.clone(),
    };
    let mut line = format!("{}  {:<5}  {service:<24}", record.at, record.level.as_str());
    if let Some(experiment) = record.text("experiment") {
        line.push_str(&format!("  {experiment}"));
        if let Some(number) = record.fields.get("trial.number") {
            line.push_str(&format!("#{number}"));
        }
    }
    line.push_str(&format!("  {}", record.message));
    for (name, value) in record.fields.iter().filter(|(name, _)| !PLACED.contains(&name.as_str())) {
        line.push_str(&match value.as_str() {
            Some(text) => format!("  {name}={text}"),
            None => format!("  {name}={value}"),
        });
    }
    tone.paint(&plain(&line))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(fields: serde_json::Value) -> Record {
        serde_json::from_value(json!({
            "at": "2026-11-24T15:40:08.642Z", "level": "warn", "service": "worker-bench", "process": "h/1",
            "target": "autoopt_epoch", "message": "`run` failed", "fields": fields,
        }))
        .unwrap()
    }

    #[test]
    fn a_trial_is_known_by_number_and_by_id() {
        let of =
            record(json!({"experiment": "x", "experiment.id": "e-1", "trial": "t-1", "trial.number": 12}));
        for about in ["x", "e-1", "t-1", "x#12", "e-1#12"] {
            assert!(is_about(&of, about), "{about}");
        }
        for about in ["x#1", "x#", "12", "#12", "y#12"] {
            assert!(!is_about(&of, about), "{about}");
        }
        assert!(!is_about(&record(json!({"experiment": "x"})), "x#many"));
    }

    #[test]
    fn a_line_tells_where_and_what_without_driving_the_terminal() {
        let of = record(
            json!({"experiment": "x", "trial.number": 12, "cluster": "lab", "kind": "broken\u{1b}[2J"}),
        );
        assert_eq!(
            line(&of),
            r"2026-11-24T15:40:08.642Z  WARN   worker-bench@lab          x#12  `run` failed  kind=broken\u{1b}[2J"
        );
    }
}
