//! The fault run: two experiments on many clusters while every service is killed again and again, and the broker twice.
//!
//! One experiment asks the optimizer, the other gets its trials by hand over the bus, so that every service has work.
//! Afterwards the store is the witness: each trial has one outcome, nothing is stuck, and each attempt beyond the
//! first is explained by an event.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use autoopt_epoch::bus::topology::TRIAL_KEY;
use autoopt_epoch::bus::{Bus, Outgoing, amqp};
use autoopt_epoch::id::{MessageId, TrialId};
use autoopt_epoch::message::{Stage, Trial};
use autoopt_epoch::space::Value;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::broker::Broker;
use crate::sandbox::{Sandbox, Service};

/// What to do to the system.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Trials in all; half are proposed, half are by hand.
    pub trials: u32,
    /// Clusters of each of the two experiments.
    pub clusters: u32,
    /// SIGKILLs of each of the six services.
    pub kills: u32,
    pub broker_restarts: u32,
    /// How long each stage takes.
    pub body: Duration,
    /// Pause between two kills, on average.
    pub pause: Duration,
    pub seed: u64,
    /// Whether the clocks of optimizer and workers are minutes ahead of and behind the coordinator's.
    pub wrong_clocks: bool,
    /// Everything has to have ended this long after the last kill.
    pub patience: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Tally {
    pub trials: usize,
    /// Accepted or submitted, but without an outcome.
    pub stuck: usize,
    /// Submitted, but unknown to the coordinator.
    pub lost: usize,
    /// With more than one `trial.ended`.
    pub two_outcomes: usize,
    /// With another outcome than `measured`, although only services died.
    pub told_failed: usize,
    /// Attempts beyond the first, and how many of them no event explains.
    pub retried: usize,
    pub unexplained: usize,
    /// Stage bodies that a kill cut short.
    pub bodies_cut: usize,
    /// Stage bodies that ended more than once (a killed worker's stage may run again).
    pub bodies_repeated: usize,
    pub kills: BTreeMap<String, u32>,
    pub broker_restarts: u32,
}

impl Tally {
    /// Whether everything that is promised held.
    pub const fn holds(&self) -> bool {
        self.stuck == 0
            && self.lost == 0
            && self.two_outcomes == 0
            && self.told_failed == 0
            && self.unexplained == 0
    }
}

const PROPOSED: &str = "faults-proposed";
const BY_HAND: &str = "faults-by-hand";
/// Beyond a lease of 30 s, in both directions.
const CLOCKS: [(Service, &str); 4] = [
    (Service::Optimizer, "-7m"),
    (Service::Worker(Stage::Apply), "+10m"),
    (Service::Worker(Stage::Load), "-10m"),
    (Service::Worker(Stage::Collect), "+3m"),
];

/// Runs the plan against services that are started here.
pub async fn run(plan: &Plan, home: &Path, store_url: &str) -> Result<Tally> {
    let broker = Broker::start(&home.join("broker")).await?;
    let mut sandbox = Sandbox::new(&home.join("services"), &broker.url(), store_url)?;
    let ledger = home.join("ledger");
    std::fs::create_dir_all(&ledger)?;
    sandbox.set("MQ_LEDGER", ledger.to_string_lossy());
    sandbox.set("MQ_BODY_MS", plan.body.as_millis().to_string());
    if plan.wrong_clocks {
        for (service, offset) in CLOCKS {
            sandbox.set_clock(service, offset)?;
        }
    }
    sandbox.start_all().await?;
    let proposed = plan.trials / 2;
    let by_hand = plan.trials - proposed;
    sandbox.submit(&experiment(PROPOSED, "p", plan.clusters, "sobol", proposed)).await?;
    sandbox.submit(&experiment(BY_HAND, "h", plan.clusters, "manual", by_hand)).await?;
    let bus = amqp::connect(amqp::AmqpSettings::new(broker.url(), "faults")).await?;

    let mut tally = Tally::default();
    let mut chance = Chance(plan.seed | 1);
    let rounds = plan.kills * Service::ALL.len() as u32;
    let mut victims: Vec<Service> = Vec::new();
    let mut sent = 0;
    for round in 0..rounds {
        // trials are spread over the run, so that each kill meets work
        let due = u32::try_from(u64::from(by_hand) * u64::from(round + 1) / u64::from(rounds))?;
        while sent < due {
            submit(&bus, sent).await?;
            sent += 1;
        }
        tokio::time::sleep(plan.pause.mul_f64(0.5 + chance.unit())).await;
        if victims.is_empty() {
            victims = Service::ALL.to_vec();
        }
        let victim = victims.swap_remove(chance.below(victims.len()));
        sandbox.supervise()?;
        sandbox.kill(victim)?;
        sandbox.start(victim)?;
        *tally.kills.entry(victim.to_string()).or_default() += 1;
        let restarts_due = plan.broker_restarts * (round + 1) / rounds;
        if tally.broker_restarts < restarts_due {
            broker.kill().await?;
            broker.restart().await?;
            tally.broker_restarts += 1;
        }
    }
    bus.close().await;

    // not reaching the end is the finding, told by the tally, not an error
    let deadline = std::time::Instant::now() + plan.patience;
    while std::time::Instant::now() < deadline {
        sandbox.supervise()?;
        if ended(&sandbox, PROPOSED).await.unwrap_or(false) && ended(&sandbox, BY_HAND).await.unwrap_or(false)
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    count(&sandbox, plan, &mut tally).await?;
    (tally.bodies_cut, tally.bodies_repeated) = bodies(&ledger)?;
    Ok(tally)
}

/// An experiment of no-op stages on clusters of its own.
pub fn experiment(name: &str, prefix: &str, clusters: u32, algorithm: &str, trials: u32) -> Json {
    let stage = json!({"backend": "noop", "lease": "3s", "timeout": "1m"});
    json!({
        "name": name,
        "clusters": (0..clusters).map(|k| format!("{prefix}{k}")).collect::<Vec<_>>(),
        "algorithm": {"name": algorithm},
        "budget": {"trials": trials},
        "parameters": [{"name": "i", "type": "int", "low": -1, "high": 1_000_000_000, "default": -1}],
        "apply": stage, "load": stage, "bench": stage, "collect": stage,
        "metrics": [{"name": "value", "parser": "key-value", "field": "value"}],
        "objective": {"maximize": "value"},
        "retry": {"transient": {"attempts": 30, "backoff": "100ms", "max_backoff": "1s"}},
    })
}

/// Publishes the `i`-th trial by hand, again and again until it is confirmed: the broker may be away.
async fn submit(bus: &Bus, i: u32) -> Result<()> {
    let id = TrialId::derived(Uuid::NAMESPACE_OID, &i.to_string());
    let trial = Trial {
        experiment: BY_HAND.into(),
        parameters: BTreeMap::from([("i".into(), Value::Int(i.into()))]),
        trial: Some(id),
        ask: None,
        cluster: None,
        note: None,
        outlook: None,
        compromise: None,
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(120);
    loop {
        let attempt = async {
            bus.publish(Outgoing::new(TRIAL_KEY, MessageId(id.0), &trial)).await?.await?;
            anyhow::Ok(())
        };
        match attempt.await {
            Ok(()) => return Ok(()),
            Err(error) if std::time::Instant::now() > deadline => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

async fn ended(sandbox: &Sandbox, experiment: &str) -> Result<bool> {
    Ok(sandbox.get(&format!("/v1/experiments/{experiment}")).await?["phase"] == "ended")
}

/// Asks the coordinator what became of everything.
async fn count(sandbox: &Sandbox, plan: &Plan, tally: &mut Tally) -> Result<()> {
    let mut outcomes: BTreeMap<String, u32> = BTreeMap::new();
    let mut explained: BTreeSet<(String, String, u64)> = BTreeSet::new();
    for event in events(sandbox).await? {
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        match event["kind"].as_str() {
            Some("trial.ended") => *outcomes.entry(text("trial")).or_default() += 1,
            Some("stage.retried" | "lease.expired") => {
                explained.insert((
                    text("epoch"),
                    text("stage"),
                    event["attempt"].as_u64().unwrap_or_default(),
                ));
            }
            _ => {}
        }
    }
    tally.two_outcomes = outcomes.values().filter(|n| **n > 1).count();
    for experiment in [PROPOSED, BY_HAND] {
        for trial in sandbox.trials(experiment).await? {
            match trial["outcome"].as_str() {
                None => tally.stuck += 1,
                Some("measured") => {}
                Some(_) => tally.told_failed += 1,
            }
            if ["proposed", "manual"].contains(&trial["kind"].as_str().unwrap_or_default()) {
                tally.trials += 1;
            }
            let id = trial["id"].as_str().context("a trial without an id")?;
            let detail = sandbox.get(&format!("/v1/trials/{id}")).await?;
            for epoch in detail["epochs"].as_array().into_iter().flatten() {
                let epoch_id = epoch["id"].as_str().unwrap_or_default();
                for attempt in epoch["attempts"].as_array().into_iter().flatten() {
                    let n = attempt["attempt"].as_u64().unwrap_or_default();
                    if n > 1 {
                        tally.retried += 1;
                        let stage = attempt["stage"].as_str().unwrap_or_default();
                        let told = |n| explained.contains(&(epoch_id.to_owned(), stage.to_owned(), n));
                        tally.unexplained += usize::from(!told(n) && !told(n - 1));
                    }
                }
            }
        }
        if !ended(sandbox, experiment).await? {
            tally.stuck += 1;
        }
    }
    tally.lost = (plan.trials as usize).saturating_sub(tally.trials);
    Ok(())
}

/// The whole event log.
async fn events(sandbox: &Sandbox) -> Result<Vec<Json>> {
    let mut events: Vec<Json> = Vec::new();
    loop {
        let after = events.last().and_then(|e| e["seq"].as_i64()).unwrap_or(0);
        let page = sandbox.get(&format!("/v1/events?after={after}&limit=1000")).await?;
        let more = page["events"].as_array().cloned().unwrap_or_default();
        if more.is_empty() {
            return Ok(events);
        }
        let last = more.last().and_then(|e| e["seq"].as_i64()).unwrap_or(0);
        ensure!(last > after, "the event log does not move on from {after}");
        events.extend(more);
    }
}

/// Bodies that began without an end, and bodies that ended more than once, over all stages.
fn bodies(ledger: &Path) -> Result<(usize, usize)> {
    let (mut cut, mut repeated) = (0, 0);
    for file in std::fs::read_dir(ledger)? {
        let (mut begins, mut ends) = (0, BTreeMap::<String, usize>::new());
        for line in std::fs::read_to_string(file?.path())?.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["S", ..] => begins += 1,
                ["E", trial, ..] => *ends.entry(trial.to_owned()).or_default() += 1,
                _ => {}
            }
        }
        let ended: usize = ends.values().sum();
        cut += begins - ended.min(begins);
        repeated += ended - ends.len();
    }
    Ok((cut, repeated))
}

/// A small generator (xorshift64*, Vigna 2016), so that a run can be repeated from its seed.
struct Chance(u64);

impl Chance {
    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in 0..n.
    fn below(&mut self, n: usize) -> usize {
        ((self.unit() * n as f64) as usize).min(n.saturating_sub(1))
    }
}
