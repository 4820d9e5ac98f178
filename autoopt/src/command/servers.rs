//! `autoopt load …` and `autoopt app …`: an experiment's servers by hand, by the same backends that its epochs use.

use std::path::PathBuf;
use std::sync::Arc;

use autoopt_cloud::Clouds;
use autoopt_cloud::workload::Owner;
use autoopt_epoch::failure::Failure;
use autoopt_epoch::message::{Action, Stage};
use autoopt_epoch::worker::{Backend, Context};
use clap::{Args, Subcommand};

use super::preflight::order;
use super::{run, validate};
use crate::fault::{Fault, Kind};
use crate::show::{cell, plain, say, say_json, table};

/// What is done with them
#[derive(Debug, Subcommand)]
pub(crate) enum Servers {
    /// Create them in their order, and tell how it goes; those that are there and match are taken as they are
    Create(Of),
    /// Show those that are there
    Status(Of),
    /// Delete them, and wait until they are gone
    Delete(Of),
}

#[derive(Debug, Args)]
pub(crate) struct Of {
    /// The experiment file that describes them
    file: PathBuf,
    /// One of the experiment's clusters (the first)
    #[arg(long)]
    cluster: Option<String>,
    /// The workers' configuration, or a file with commands (FILE with `.commands.toml` in place of `.toml`)
    #[arg(long, env = "AUTOOPT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Servers {
    /// `stage` is load, or bench for the application.
    pub(crate) async fn run(self, stage: Stage, json: bool) -> Result<(), Fault> {
        let (action, of) = match self {
            Self::Create(of) => (Some(Action::Run), of),
            Self::Delete(of) => (Some(Action::Undo), of),
            Self::Status(of) => (None, of),
        };
        let spec = validate::load(&of.file)?;
        let commands = run::commands(of.config, &of.file)?;
        let cluster = of.cluster.or_else(|| spec.clusters.first().cloned()).unwrap_or_default();
        let order = order(&spec, &cluster, stage, action.unwrap_or(Action::Run));
        let failed = |failure: Failure| Fault::failed(format!("`{cluster}`: {}", failure.reason));
        if let Some(action) = action {
            let backends = run::backends(stage, &commands);
            let name = &order.backend.backend;
            let backend = backends
                .get(name)
                .ok_or_else(|| Fault::new(Kind::Input, format!("[{stage}] backend: there is no `{name}`")))?;
            backend.check(&order).map_err(failed)?;
            let done = followed(backend.clone(), &order, json).await.map_err(failed)?;
            if action == Action::Run && json {
                say_json(&done.outputs);
                return Ok(());
            }
        }
        let clouds = Clouds::new(commands.openstack);
        let cloud = clouds.get(&cluster).await.map_err(failed)?;
        let servers = cloud.servers(&Owner::of(&order).prefix).await.map_err(|error| failed(error.into()))?;
        if json {
            let rows = servers.iter().map(|s| {
                serde_json::json!({"name": s.name, "id": s.id, "status": s.status, "host": s.host, "address": s.address()})
            });
            say_json(&rows.collect::<Vec<_>>());
            return Ok(());
        }
        if servers.is_empty() {
            say("no servers");
            return Ok(());
        }
        let mut shown = table(&["server", "status", "host", "address", "id"]);
        for server in &servers {
            let or = |text: Option<&str>| text.unwrap_or("-").to_owned();
            let row = [
                &server.name,
                &server.status,
                &or(server.host.as_deref()),
                &or(server.address()),
                &server.id,
            ];
            shown.add_row(row.map(cell));
        }
        say(shown.trim_fmt());
        Ok(())
    }
}

/// Does it, and shows what the backend is at.
async fn followed(
    backend: Arc<dyn Backend>,
    order: &autoopt_epoch::message::Epoch,
    json: bool,
) -> Result<autoopt_epoch::message::Done, Failure> {
    let context = Context::alone(&std::env::temp_dir());
    let mut notes = context.note.subscribe();
    let done = backend.perform(order, &context);
    tokio::pin!(done);
    loop {
        tokio::select! {
            done = &mut done => return done,
            Ok(()) = notes.changed() => {
                let note = plain(&notes.borrow_and_update());
                if !json {
                    say(note);
                }
            }
        }
    }
}
