//! Many clusters on one coordinator: two experiments share them, one cluster has no worker, and everything else goes on.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use autoopt_epoch::message::Stage;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value as Json, json};

use crate::sandbox::{Sandbox, Service};
use crate::vhost::Vhost;

/// Requests side by side when trials are sent.
const SENDERS: usize = 32;
/// Epochs from which the time between two steps is taken.
const SAMPLE: usize = 200;

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub clusters: u32,
    /// Of both experiments together.
    pub trials: u32,
    /// How long each stage takes.
    pub body: Duration,
    pub patience: Duration,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// From the submission until every cluster but the one without a worker has a baseline, in seconds.
    pub baselines_s: f64,
    /// From the first trial that was sent to the end of the last one.
    pub trials_per_s: f64,
    /// The coordinator's, in milliseconds for each trial.
    pub cpu_ms_per_trial: f64,
    /// The coordinator's memory at the end, in MiB.
    pub resident_mib: f64,
    /// From the moment at which the coordinator takes a report in to the beginning of the next step, in ms.
    pub next_step_p50_ms: f64,
    pub next_step_p99_ms: f64,
    /// How often a cluster was handed over.
    pub handed_over: usize,
}

fn names(count: u32) -> Vec<String> {
    (0..count).map(|n| format!("c{n:04}")).collect()
}

fn experiment(name: &str, clusters: &[String], trials: u32) -> Json {
    let stage = json!({"backend": "noop"});
    json!({
        "name": name, "clusters": clusters, "algorithm": {"name": "manual"}, "budget": {"trials": trials},
        "parameters": [{"name": "x", "type": "int", "low": 0, "high": 1_000_000, "default": 0}],
        "apply": stage, "load": stage, "bench": stage, "collect": stage,
        "metrics": [{"name": "value", "parser": "key-value", "field": "value"}],
        "objective": {"maximize": "value"},
    })
}

/// Runs it. Nothing may be lost, and the cluster without a worker may hold nobody up.
pub async fn run(plan: &Plan, home: &Path, store: &str) -> Result<Figures> {
    let vhost = Vhost::create()?;
    let mut sandbox = Sandbox::new(home, &vhost.url(), store)?;
    let clusters = names(plan.clusters);
    let (_, served) = clusters.split_first().context("no clusters")?;
    let config = std::fs::read_to_string(sandbox.worker_config())?;
    let list = json!(served).to_string();
    std::fs::write(sandbox.worker_config(), config.replace("[\"*\"]", &list))?;
    sandbox.set("MQ_BODY_MS", plan.body.as_millis().to_string());
    sandbox.start(Service::Coordinator)?;
    for stage in Stage::ALL {
        sandbox.start(Service::Worker(stage))?;
    }
    sandbox.until("the API answers", plan.patience, async |s| Ok(s.get("/health").await.is_ok())).await?;

    let began = Instant::now();
    let share = plan.trials / 2;
    for name in ["left", "right"] {
        sandbox.submit(&experiment(name, &clusters, share)).await?;
    }
    let all = served.len();
    let baselines = async |s: &Sandbox| {
        let of = async |name: &str| {
            anyhow::Ok(
                s.get(&format!("/v1/experiments/{name}")).await?["baseline"]
                    .as_object()
                    .map_or(0, serde_json::Map::len),
            )
        };
        Ok(of("left").await? >= all && of("right").await? >= all)
    };
    sandbox.until("each cluster has a baseline of both experiments", plan.patience, baselines).await?;
    let baselines_s = began.elapsed().as_secs_f64();

    let (cpu, began) = (sandbox.cpu_seconds(Service::Coordinator)?, Instant::now());
    let sending = futures::stream::iter(0..share * 2).map(async |n| {
        let path = ["/v1/experiments/left/trials", "/v1/experiments/right/trials"][(n % 2) as usize];
        let (status, answer) = sandbox.post(path, &json!({"parameters": {"x": n}})).await?;
        ensure!(status == 201, "a trial was refused with {status}: {answer}");
        Ok(())
    });
    sending.buffer_unordered(SENDERS).try_collect::<Vec<()>>().await?;
    let measured = async |s: &Sandbox| {
        let of = async |name: &str| {
            anyhow::Ok(s.get(&format!("/v1/experiments/{name}")).await?["outcomes"]["measured"].as_u64())
        };
        Ok(of("left").await? == Some(share.into()) && of("right").await? == Some(share.into()))
    };
    sandbox.until("every trial is measured", plan.patience, measured).await?;
    let (took, cpu) = (began.elapsed().as_secs_f64(), sandbox.cpu_seconds(Service::Coordinator)? - cpu);
    let resident_mib = sandbox.resident_mib(Service::Coordinator)?;

    let mut gaps = gaps(&sandbox).await?;
    gaps.sort_by(f64::total_cmp);
    let at = |part: f64| gaps.get(((gaps.len() - 1) as f64 * part) as usize).copied().context("no steps");
    let handed_over = sandbox.count_events("cluster.handed_over").await?;
    for name in ["left", "right"] {
        sandbox.post(&format!("/v1/experiments/{name}/cancel"), &Json::Null).await?;
    }
    let ended = async |s: &Sandbox| {
        let of = async |name: &str| {
            anyhow::Ok(s.get(&format!("/v1/experiments/{name}")).await?["phase"] == "ended")
        };
        Ok(of("left").await? && of("right").await?)
    };
    sandbox.until("both have left every cluster", plan.patience, ended).await?;
    Ok(Figures {
        baselines_s,
        trials_per_s: f64::from(share * 2) / took,
        cpu_ms_per_trial: cpu * 1000.0 / f64::from(share * 2),
        resident_mib,
        next_step_p50_ms: at(0.5)?,
        next_step_p99_ms: at(0.99)?,
        handed_over,
    })
}

/// Milliseconds from the end of a step, as the coordinator took it in, to the beginning of the next one, of some epochs.
async fn gaps(sandbox: &Sandbox) -> Result<Vec<f64>> {
    let page = sandbox.get(&format!("/v1/experiments/left/trials?limit={SAMPLE}")).await?;
    let mut gaps = Vec::new();
    for trial in page["trials"].as_array().context("no trials")? {
        let id = trial["id"].as_str().context("a trial without an id")?;
        let detail = sandbox.get(&format!("/v1/trials/{id}")).await?;
        let Some(epoch) = detail["epochs"][0]["id"].as_str() else { continue };
        let epoch = sandbox.get(&format!("/v1/epochs/{epoch}")).await?;
        let attempts = epoch["attempts"].as_array().context("no attempts")?;
        for two in attempts.windows(2) {
            if let (Some(ended), Some(started)) = (millis(&two[0]["ended"]), millis(&two[1]["started"])) {
                gaps.push((started - ended) as f64);
            }
        }
    }
    Ok(gaps)
}

fn millis(timestamp: &Json) -> Option<i64> {
    let timestamp: autoopt_epoch::time::Timestamp = serde_json::from_value(timestamp.clone()).ok()?;
    Some(timestamp.as_millis())
}
