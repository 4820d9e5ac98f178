//! The submitting side of the orchestration benchmark, for this project's own services.
//!
//! `seq N FIRST`: one trial in flight; prints when each was submitted and when its end was seen.
//! `flood N FIRST WINDOW`: at most WINDOW in flight; with `MQ_FINISH` it then asks the API what became of each.
//!
//! Trials are published on the bus like anybody's, with a parameter `i` that the no-op backend writes to its ledger; their
//! ends are seen as events. Both commands submit the experiment first if it is not there, and wait for its baselines.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use autoopt_epoch::bus::topology::{Subscription, TRIAL_KEY};
use autoopt_epoch::bus::{Bus, Delivery, Incoming, Outgoing, amqp};
use autoopt_epoch::id::{MessageId, TrialId};
use autoopt_epoch::message::{Event, EventKind, Trial};
use autoopt_epoch::space::Value;
use serde_json::{Value as Json, json};

const EXPERIMENT: &str = "benchmark";
/// Trials that end are seen as events; when none comes for this long, the window is widened so that a stuck trial
/// cannot stop the benchmark.
const NOTHING_MOVES: Duration = Duration::from_secs(12);

struct Client {
    bus: Bus,
    http: reqwest::Client,
    api: String,
    limit: Duration,
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// CLOCK_MONOTONIC in nanoseconds: the clock of the ledger.
fn now_ns() -> Result<i64> {
    let t = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)?;
    Ok(t.tv_sec() * 1_000_000_000 + t.tv_nsec())
}

fn trial_id(i: i64) -> TrialId {
    TrialId::derived(uuid::Uuid::NAMESPACE_OID, &i.to_string())
}

impl Client {
    async fn connect() -> Result<Self> {
        let url = std::env::var("AUTOOPT_BUS__URL").context("AUTOOPT_BUS__URL is not set")?;
        let api = std::env::var("AUTOOPT_SERVER").context("AUTOOPT_SERVER is not set")?;
        let bus = amqp::connect(amqp::AmqpSettings::new(url, "bench-client")).await?;
        Ok(Self {
            bus,
            http: reqwest::Client::new(),
            api,
            limit: Duration::from_secs(number("MQ_LIMIT_S", 120)),
        })
    }

    async fn get(&self, path: &str) -> Result<Json> {
        Ok(self.http.get(format!("{}{path}", self.api)).send().await?.error_for_status()?.json().await?)
    }

    /// The experiment is open and each of its clusters has its baseline.
    async fn prepare_experiment(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let clusters: Vec<String> = (0..number("MQ_CLUSTERS", 256)).map(|i| format!("c{i:04}")).collect();
        let stage = json!({"backend": "noop", "lease": "10s", "timeout": "10m"});
        let spec = json!({
            "name": EXPERIMENT, "clusters": clusters, "algorithm": {"name": "manual"}, "budget": {"trials": 10_000_000},
            "parameters": [{"name": "i", "type": "int", "low": -1, "high": 1_000_000_000_000_i64, "default": -1}],
            "apply": stage, "load": stage, "bench": stage, "collect": stage,
            "metrics": [{"name": "value", "parser": "key-value", "field": "value"}],
            "objective": {"maximize": "value"},
        });
        loop {
            let response = self.http.post(format!("{}/v1/experiments", self.api)).json(&spec).send().await;
            match response {
                Ok(r) if r.status().is_success() || r.status() == reqwest::StatusCode::CONFLICT => break,
                Ok(r) if r.status().is_client_error() => bail!("refused: {}", r.text().await?),
                _ if Instant::now() > deadline => bail!("the coordinator does not answer at {}", self.api),
                _ => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
        while Instant::now() < deadline {
            let detail = self.get(&format!("/v1/experiments/{EXPERIMENT}")).await?;
            let measured = detail["baseline"].as_object().map_or(0, serde_json::Map::len);
            if measured == clusters.len() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("the baselines did not end within a minute")
    }

    fn message(i: i64) -> Outgoing {
        let trial = Trial {
            experiment: EXPERIMENT.into(),
            parameters: BTreeMap::from([("i".into(), Value::Int(i))]),
            trial: Some(trial_id(i)),
            ask: None,
            cluster: None,
            note: None,
            outlook: None,
            compromise: None,
        };
        Outgoing::new(TRIAL_KEY, MessageId(trial_id(i).0), &trial)
    }

    async fn seq(&self, n: i64, first: i64) -> Result<Json> {
        self.prepare_experiment().await?;
        let mut ends = self.bus.subscribe(Subscription::events(EXPERIMENT)).await?;
        let end = Instant::now() + self.limit;
        let mut rows = Vec::new();
        for i in first..first + n {
            let submitted = now_ns()?;
            let confirm = self.bus.publish(Self::message(i)).await?;
            loop {
                let delivery = tokio::time::timeout(Duration::from_secs(20), ends.next()).await?;
                if ended(delivery.context("the bus is closed")?).await == Some(trial_id(i)) {
                    break;
                }
            }
            rows.push((i, submitted, now_ns()?));
            confirm.await?;
            if Instant::now() > end {
                break;
            }
        }
        Ok(json!({"trials": rows, "unseen": 0}))
    }

    async fn flood(&self, n: i64, first: i64, window: usize) -> Result<Json> {
        self.prepare_experiment().await?;
        let mut ends = self.bus.subscribe(Subscription::events(EXPERIMENT)).await?;
        let finish = std::env::var("MQ_FINISH").ok();
        let end = Instant::now() + self.limit;
        let mut done: HashSet<TrialId> = HashSet::new();
        let mut unconfirmed = tokio::task::JoinSet::new();
        let (mut sent, mut credit, mut resubmitted) = (0_usize, 0_usize, 0_u64);
        let (t_first, mut t_submitted, mut moved) = (now_ns()?, 0, Instant::now());
        loop {
            let over = finish.as_ref().map_or(done.len() as i64 >= n, |f| std::path::Path::new(f).exists());
            if over || Instant::now() > end {
                break;
            }
            while (sent as i64) < n && sent < done.len() + credit + window {
                self.submit(first + sent as i64, &mut unconfirmed).await;
                sent += 1;
                if sent as i64 == n {
                    t_submitted = now_ns()?;
                }
            }
            tokio::select! {
                Some(delivery) = ends.next() => {
                    take(delivery, ends.as_mut(), &mut done).await;
                    moved = Instant::now();
                }
                Some(Ok((i, confirmed))) = unconfirmed.join_next() => if !confirmed {
                    resubmitted += 1;
                    self.submit(i, &mut unconfirmed).await;
                },
                () = tokio::time::sleep(Duration::from_millis(50)) => if moved.elapsed() > NOTHING_MOVES {
                    credit = sent - done.len();
                    moved = Instant::now();
                },
            }
        }
        let client = if finish.is_some() {
            self.outcomes(first, sent as i64).await?
        } else {
            json!({"ok": done.len()})
        };
        Ok(
            json!({"submitted": sent, "t_first": t_first, "t_submitted": t_submitted, "resubmitted": resubmitted,
            "client": client}),
        )
    }

    /// Publishes trial `i`; whether it was confirmed comes out of `unconfirmed`.
    async fn submit(&self, i: i64, unconfirmed: &mut tokio::task::JoinSet<(i64, bool)>) {
        let published = self.bus.publish(Self::message(i)).await;
        unconfirmed.spawn(async move {
            match published {
                Ok(confirm) => (i, confirm.await.is_ok()),
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    (i, false)
                }
            }
        });
    }

    /// What the coordinator says became of each trial.
    async fn outcomes(&self, first: i64, n: i64) -> Result<Json> {
        let (mut ok, mut failed, mut seen, mut after) = (0, Vec::new(), HashSet::new(), String::new());
        loop {
            let page = self.get(&format!("/v1/experiments/{EXPERIMENT}/trials?limit=1000{after}")).await?;
            let trials = page["trials"].as_array().cloned().unwrap_or_default();
            let Some(last) = trials.last() else { break };
            after = format!("&after={}", last["id"].as_str().context("a trial without an id")?);
            for trial in &trials {
                let Some(i) = trial["parameters"]["i"].as_i64() else { continue };
                match trial["outcome"].as_str() {
                    Some("measured") => {
                        ok += i64::from(seen.insert(i));
                    }
                    Some(_) => failed.push(i),
                    None => {}
                }
            }
        }
        let pending: Vec<i64> =
            (first..first + n).filter(|i| !seen.contains(i) && !failed.contains(i)).collect();
        Ok(json!({"ok": ok, "failed": failed, "pending": pending}))
    }
}

/// The trial whose end `delivery` tells of.
async fn ended(delivery: Delivery) -> Option<TrialId> {
    let event: Option<Event> = serde_json::from_slice(&delivery.body).ok();
    delivery.verdict.ack().await;
    event.filter(|e| e.kind == EventKind::TrialEnded).and_then(|e| e.trial)
}

async fn take(delivery: Delivery, ends: &mut dyn Incoming, done: &mut HashSet<TrialId>) {
    done.extend(ended(delivery).await);
    while let Some(delivery) = ends.ready() {
        done.extend(ended(delivery).await);
    }
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "the harness reads the result from standard output")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let argument = |k: usize| arguments.get(k).and_then(|a| a.parse::<i64>().ok()).unwrap_or(0);
    let client = Client::connect().await?;
    let result = match arguments.get(1).map(String::as_str) {
        Some("seq") => client.seq(argument(2), argument(3)).await?,
        Some("flood") => client.flood(argument(2), argument(3), usize::try_from(argument(4))?).await?,
        _ => bail!("usage: autoopt-bench-client seq N FIRST | flood N FIRST WINDOW"),
    };
    println!("{result}");
    client.bus.close().await;
    Ok(())
}
