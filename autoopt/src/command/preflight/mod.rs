//! `autoopt preflight`.

mod cloud;

use std::path::PathBuf;

use autoopt_epoch::command::Commands;
use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::failure::Failure;
use autoopt_epoch::id::{EpochId, ExperimentId, TrialId};
use autoopt_epoch::message::{Action, Epoch, Measure, Stage, TrialKind};
use autoopt_epoch::space::Space;
use autoopt_epoch::time::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::validate;
use crate::fault::Fault;
use crate::show::{Tone, plain, say, say_json};

/// Check whether an experiment could begin: its stages' settings, and on OpenStack the cloud itself
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each line says ok, warning or blocking, and what to do. Exit code 1 if something is blocking. Nothing is changed, except that
a file is written beside each scheduler's snippet, and removed at once.

Example:
  autoopt preflight examples/nova-weights.toml
")]
pub(crate) struct Preflight {
    /// The experiment file
    file: PathBuf,
    /// The workers' configuration, or a file with commands (FILE with `.commands.toml` in place of `.toml`)
    #[arg(long, env = "AUTOOPT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What one check found.
#[derive(Debug, Serialize)]
struct Finding {
    cluster: String,
    check: &'static str,
    status: Status,
    message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Warning,
    Blocking,
}

impl Finding {
    fn line(&self) -> String {
        let status = match self.status {
            Status::Ok => Tone::Good.paint("ok      "),
            Status::Warning => Tone::Busy.paint("warning "),
            Status::Blocking => Tone::Bad.paint("blocking"),
        };
        let next = self.next.map(|next| format!("; {next}")).unwrap_or_default();
        format!("{status}  {}  {:<12}  {}{next}", plain(&self.cluster), self.check, plain(&self.message))
    }
}

/// The findings about one cluster.
struct Findings {
    cluster: String,
    all: Vec<Finding>,
}

impl Findings {
    fn add(
        &mut self,
        check: &'static str,
        status: Status,
        message: impl Into<String>,
        next: Option<&'static str>,
    ) {
        self.all.push(Finding {
            cluster: self.cluster.clone(),
            check,
            status,
            message: message.into(),
            next,
        });
    }

    fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Status::Ok, message, None);
    }

    fn warning(&mut self, check: &'static str, message: impl Into<String>, next: &'static str) {
        self.add(check, Status::Warning, message, Some(next));
    }

    fn blocking(&mut self, check: &'static str, message: impl Into<String>, next: &'static str) {
        self.add(check, Status::Blocking, message, Some(next));
    }

    /// A failure's reason says what to do.
    fn failed(&mut self, check: &'static str, failure: &Failure) {
        self.add(check, Status::Blocking, &failure.reason, None);
    }
}

impl Preflight {
    pub(crate) async fn run(self, json: bool) -> Result<(), Fault> {
        let spec = validate::load(&self.file)?;
        let commands = super::run::commands(self.config, &self.file)?;
        let mut findings = Vec::new();
        for cluster in &spec.clusters {
            let mut found = Findings { cluster: cluster.clone(), all: Vec::new() };
            stages(&mut found, &spec, &commands);
            if commands.openstack.cluster.contains_key(cluster) {
                cloud::check(&mut found, &spec, &commands).await;
            }
            findings.extend(found.all);
        }
        let blocking = findings.iter().filter(|finding| finding.status == Status::Blocking).count();
        if json {
            say_json(&serde_json::json!({"ok": blocking == 0, "findings": findings}));
        } else {
            findings.iter().for_each(|finding| say(finding.line()));
        }
        match blocking {
            0 => Ok(()),
            n => Err(Fault::failed(format!("{n} of {} checks found something that blocks", findings.len()))),
        }
    }
}

/// Each stage's settings against the configuration, as its worker checks them.
fn stages(found: &mut Findings, spec: &ExperimentSpec, commands: &Commands) {
    for stage in Stage::ALL {
        let check = stage.as_str();
        let name = &spec.stage(stage).backend;
        let backends = super::run::backends(stage, commands);
        let Some(backend) = backends.get(name) else {
            let known: Vec<&str> = backends.keys().map(String::as_str).collect();
            let message = format!("there is no backend `{name}`; there are {}", known.join(", "));
            found.blocking(check, message, "name one of them in the experiment");
            continue;
        };
        match backend.check(&order(spec, &found.cluster, stage, Action::Run)) {
            Ok(()) => found.ok(check, format!("its settings fit the backend `{name}`")),
            Err(failure) => found.failed(check, &failure),
        }
    }
}

/// What a worker would be handed for the baseline, or for a trial with the defaults. Servers of such orders are found again by the
/// experiment's name.
pub(super) fn order(spec: &ExperimentSpec, cluster: &str, stage: Stage, action: Action) -> Epoch {
    let id = ExperimentId::derived(Uuid::nil(), &spec.name);
    let backend = spec.stage(stage).clone();
    let trial = TrialId::derived(id.0, "by hand");
    Epoch {
        experiment: spec.name.clone(),
        experiment_id: id,
        trial,
        number: 0,
        kind: TrialKind::Baseline,
        epoch: EpochId::derived(trial.0, "by hand"),
        cluster: cluster.to_owned(),
        step: 0,
        stage,
        action,
        attempt: 1,
        issued: Timestamp::now(),
        lease: backend.lease,
        timeout: backend.timeout,
        parameters: Space::new(spec.parameters.clone(), &[])
            .map(|space| space.defaults())
            .unwrap_or_default(),
        backend,
        restore: None,
        outputs: std::collections::BTreeMap::new(),
        artifacts: Vec::new(),
        leaks: Vec::new(),
        measure: Some(Measure {
            metrics: spec.metrics.clone(),
            objective: spec.objective.clone(),
            other_objectives: spec.other_objectives.clone(),
            outcome_constraints: spec.outcome_constraints.clone(),
            baseline: None,
        }),
    }
}
