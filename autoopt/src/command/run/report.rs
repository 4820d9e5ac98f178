//! The report of a run, from its own store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use autoopt_coordinator::api::render;
use autoopt_coordinator::api::view::{ExperimentDetail, TrialDetail, TrialView};
use autoopt_coordinator::store::{Store, StoreError};
use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::message::TrialKind;
use autoopt_epoch::time::Timestamp;

use super::super::report::first_baselines;
use super::summary::Summary;
use crate::fault::Fault;
use crate::report::{Report, page};
use crate::show::{cell, table};

/// Everything it rests on.
pub(super) async fn read(store: &Store, summary: &Summary) -> Result<Report, Fault> {
    gather(store, summary).await.map_err(|e| Fault::failed("the store cannot be read").because(e))
}

/// Writes it into `folder`.
pub(super) fn write(report: &Report, folder: &Path) -> Result<PathBuf, Fault> {
    let file = folder.join("report.html");
    std::fs::write(&file, page(report))
        .map_err(|e| Fault::failed(format!("cannot write `{}`", file.display())).because(e))?;
    Ok(file)
}

/// The servers of the application, where the baseline and where the recommended values put them.
pub(super) fn placements(report: &Report) -> Option<String> {
    let mut shown = table(&["server", "baseline on", "recommended on"]);
    for p in &report.placements {
        let host = |host: &Option<String>| cell(host.as_deref().unwrap_or("-"));
        shown.add_row([cell(&p.server), host(&p.baseline), host(&p.recommended)]);
    }
    (!report.placements.is_empty()).then(|| shown.trim_fmt())
}

async fn gather(store: &Store, summary: &Summary) -> Result<Report, StoreError> {
    let (view, spec) = (&summary.view, &summary.experiment.spec);
    let trials = store.trials(view.id, None, u64::from(u32::MAX)).await?;
    let trials: Vec<TrialView> = trials.iter().map(|t| render::trial(t, &view.name)).collect();
    let baselines = trials.iter().filter(|t| t.kind == TrialKind::Baseline && !t.again);
    let found = |cluster: &str| baselines.clone().find(|t| t.cluster.as_deref() == Some(cluster));
    let sites = store.sites(view.id).await?;
    let sites = sites.into_iter().map(|(cluster, site)| {
        let shown = render::site(&site, found(&cluster).map(|t| &t.parameters), spec);
        (cluster, shown)
    });
    let detail = ExperimentDetail {
        summary: view.clone(),
        running: Vec::new(),
        waits_for: BTreeMap::new(),
        sites: sites.collect(),
        spec: ExperimentSpec::clone(spec),
    };
    let number = detail.summary.recommended.as_ref().map(|r| r.number);
    let mut before = Vec::new();
    for baseline in first_baselines(&trials) {
        before.push(show(store, baseline).await?);
    }
    let after = match trials.iter().find(|t| Some(t.number) == number) {
        Some(trial) => Some(show(store, trial).await?),
        None => None,
    };
    Ok(Report::new(detail, trials, &before, after.as_ref(), Timestamp::now()))
}

async fn show(store: &Store, trial: &TrialView) -> Result<TrialDetail, StoreError> {
    let epochs = store.epochs(trial.id).await?;
    let epochs = epochs.iter().map(|epoch| render::epoch_detail(epoch, &[], &[])).collect();
    Ok(TrialDetail { trial: trial.clone(), epochs })
}
