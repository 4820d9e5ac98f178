//! `autoopt knobs`.

use std::path::PathBuf;

use autoopt_cloud::Clouds;
use autoopt_cloud::knobs::{METRICS, Setting, all};
use autoopt_epoch::command::Commands;
use autoopt_epoch::failure::Failure;
use autoopt_worker_apply::InForce;
use serde::Serialize;

use crate::fault::{Fault, Kind};
use crate::show::{cell, say, say_json, table};

/// Show what of nova-scheduler can be tuned, and what is in force on a cluster
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  autoopt knobs
  autoopt knobs lab --config examples/nova-weights.commands.toml
")]
pub(crate) struct Knobs {
    /// A cluster of the workers' configuration; without it, what there is in general
    cluster: Option<String>,
    /// The workers' configuration, or a file with commands
    #[arg(long, env = "AUTOOPT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// One parameter that an experiment may have.
#[derive(Serialize)]
struct Row {
    parameter: String,
    /// What is in force, and who says so; where a cluster is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_force: Option<(String, &'static str)>,
    default: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<f64>,
    /// nova's first major release with it; 0: before 2014.
    since: u32,
    /// Whether an aggregate's metadata can set it, without a restart.
    aggregate: bool,
    note: &'static str,
}

impl Knobs {
    pub(crate) async fn run(self, json: bool) -> Result<(), Fault> {
        let in_force = match &self.cluster {
            Some(cluster) => Some(in_force(cluster, self.config.as_deref()).await?),
            None => None,
        };
        let ratios = METRICS.map(|metric| (format!("metrics.{metric}"), Setting::Ratio(metric)));
        let knobs = all().iter().map(|knob| (knob.name.to_owned(), Setting::Knob(knob)));
        let rows = knobs.chain(ratios).map(|(name, setting)| row(name, &setting, in_force.as_ref()));
        let rows: Vec<Row> = rows.collect();
        if json {
            say_json(&rows);
            return Ok(());
        }
        let mut columns = vec!["parameter", "default", "at least", "since", "aggregate", "what it does"];
        if in_force.is_some() {
            columns.splice(1..1, ["in force", "from"]);
        }
        let mut shown = table(&columns);
        for row in rows {
            let since = if row.since == 0 { "-".to_owned() } else { row.since.to_string() };
            let mut cells = vec![
                cell(row.parameter),
                cell(row.default),
                cell(row.minimum.map(|minimum| minimum.to_string()).unwrap_or_default()),
                cell(since),
                cell(if row.aggregate { "yes" } else { "restart" }),
                cell(row.note),
            ];
            cells.splice(1..1, row.in_force.into_iter().flat_map(|(value, from)| [cell(value), cell(from)]));
            shown.add_row(cells);
        }
        say(shown.trim_fmt());
        Ok(())
    }
}

fn row(parameter: String, setting: &Setting, in_force: Option<&InForce>) -> Row {
    let default = setting.default();
    let in_force = in_force.map(|in_force| {
        let (text, from) = in_force.of(setting);
        (text.unwrap_or_else(|| default.to_string()), from)
    });
    match setting {
        Setting::Knob(knob) => Row {
            parameter,
            in_force,
            default,
            minimum: knob.minimum,
            since: knob.since,
            aggregate: knob.aggregate,
            note: knob.note,
        },
        Setting::Ratio(_) => Row {
            parameter,
            in_force,
            default,
            minimum: None,
            since: 0,
            aggregate: false,
            note: "ratio in [metrics] weight_setting; needs compute_monitors on every host",
        },
    }
}

async fn in_force(cluster: &str, config: Option<&std::path::Path>) -> Result<InForce, Fault> {
    let config = config.ok_or_else(|| {
        Fault::new(Kind::Usage, "which configuration has this cluster?").next("name it with --config FILE")
    })?;
    let commands =
        Commands::load(config).map_err(|e| Fault::new(Kind::Input, "the configuration").because(e))?;
    let failed = |failure: Failure| Fault::failed(format!("`{cluster}`: {}", failure.reason));
    let clouds = Clouds::new(commands.openstack);
    let configured = clouds.cluster(cluster).map_err(failed)?;
    let aggregate = match &configured.aggregate {
        Some(name) => {
            let cloud = clouds.get(cluster).await.map_err(failed)?;
            Some(cloud.aggregate(name).await.map_err(|error| failed(error.into()))?)
        }
        None => None,
    };
    InForce::read(configured, aggregate).await.map_err(failed)
}
