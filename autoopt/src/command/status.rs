//! `autoopt status`.

use autoopt_coordinator::api::view::{ClusterView, ExperimentDetail, ExperimentSummary, HealthStatus};
use autoopt_coordinator::machine::Phase;
use autoopt_epoch::message::Outlook;
use autoopt_epoch::space::Parameters;
use autoopt_epoch::time::Timestamp;

use super::clusters::{leaked, state};
use super::reference;
use crate::client::Client;
use crate::fault::{Fault, Kind};
use crate::show::{Tone, ago, cell, change, figure, lines, plain, say, say_json, spell, table};
use crate::standing::{Standing, activity, in_terms, unconfirmed};

/// Show how everything, or one experiment, stands
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  autoopt status
  autoopt status mariadb-oltp
  autoopt status mariadb-oltp --json | jq .best.parameters
")]
pub(crate) struct Status {
    /// Name (the newest of that name) or id; without it, the coordinator, open experiments and clusters
    #[arg(value_parser = reference)]
    experiment: Option<String>,
}

impl Status {
    pub(crate) async fn run(self, client: &Client, json: bool) -> Result<(), Fault> {
        match self.experiment {
            Some(experiment) => one(client, &experiment, json).await,
            None => all(client, json).await,
        }
    }
}

async fn one(client: &Client, experiment: &str, json: bool) -> Result<(), Fault> {
    let detail = client.experiment(experiment).await?;
    if json {
        say_json(&detail);
    } else {
        say(describe(&detail, Timestamp::now()));
    }
    Ok(())
}

/// An experiment for people.
pub(crate) fn describe(detail: &ExperimentDetail, now: Timestamp) -> String {
    let e = &detail.summary;
    let standing = Standing::of(e, now);
    let phase = Tone::of_phase(e.phase).paint(super::phase(e.phase));
    let mut text = format!("{}: {phase}", plain(&e.name));
    if let Some(reason) = &e.reason {
        text.push_str(&format!(": {}", lines(reason)));
    }
    let counts: Vec<String> = e.outcomes.iter().map(|(outcome, n)| format!("{n} {outcome}")).collect();
    let counts = if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) };
    text.push_str(&format!("\n  trials     {} of {}{counts}", standing.done, standing.total));
    match e.phase {
        Phase::Running if standing.left.is_some() => text.push_str(&format!(", {}", standing.time())),
        Phase::Ended => {
            let took = e.ended.unwrap_or(now).since(e.started);
            text.push_str(&format!(", took {}", spell(took)));
        }
        _ => {}
    }
    for (cluster, other) in &detail.waits_for {
        let (cluster, other) = (plain(cluster), plain(other));
        text.push_str(&format!("\n  waits      for {cluster}, which the experiment {other} has now"));
    }
    text.push_str(&format!("\n  baseline   {}", baseline(e)));
    if e.front.is_empty() {
        text.push_str(&format!("\n  best       {}", best(e)));
    } else {
        text.push_str(&format!("\n  front      {}", on_front(e)));
    }
    if let Some(outlook) = &e.outlook {
        text.push_str(&format!("\n  by model   {}", by_model(outlook)));
    }
    if let Some(shown) = confirmed(detail) {
        text.push_str(&format!("\n  confirmed  {shown}"));
    }
    let trends = detail.sites.iter().filter_map(|(cluster, site)| Some((cluster, site.drift.as_ref()?)));
    for (cluster, drift) in trends.filter(|(_, drift)| drift.found) {
        text.push_str(&format!("\n  drift      {} on {}", drift.told(), plain(cluster)));
    }
    text.push_str(&format!("\n  started    {} ({})", e.started, ago(now, e.started)));
    text.push_str(&format!("\n  id         {}", e.id));
    for epoch in &detail.running {
        text.push_str(&format!("\n  {}: {}", plain(&epoch.cluster), plain(&activity(epoch, now))));
    }
    for shown in [front(detail), values(detail)].into_iter().flatten() {
        text.push_str(&format!("\n\n{shown}"));
    }
    text
}

/// How many trials there are to choose from.
pub(crate) fn on_front(e: &ExperimentSummary) -> String {
    let count = match e.front.len() {
        1 => "1 trial".to_owned(),
        n => format!("{n} trials"),
    };
    let terms = in_terms(e).map(|terms| format!(", {}", plain(&terms))).unwrap_or_default();
    format!("{count} that no other is better than in everything{terms}")
}

/// The trials between which a choice is left, with what each objective came to.
pub(crate) fn front(detail: &ExperimentDetail) -> Option<String> {
    let (spec, front) = (&detail.spec, &detail.summary.front);
    let objectives = spec.objectives();
    let mut header = vec!["trial".to_owned()];
    let several = in_terms(&detail.summary).is_some();
    header.extend(several.then(|| "cluster".to_owned()));
    header.extend(objectives.map(|o| {
        let unit = o.unit.as_deref().map(|unit| format!(" ({unit})")).unwrap_or_default();
        let way = if o.minimize.is_some() { "least" } else { "most" };
        format!("{way} {}{unit}", plain(o.expression()))
    }));
    header.extend(spec.parameters.iter().map(|p| plain(&p.name)));
    let mut shown = table(&header.iter().map(String::as_str).collect::<Vec<_>>());
    for trial in front {
        let mut row = vec![if trial.number == 0 { cell("baseline") } else { cell(trial.number) }];
        row.extend(several.then(|| cell(&trial.cluster)));
        row.extend(trial.values.iter().map(|value| cell(figure(*value))));
        row.extend(
            spec.parameters
                .iter()
                .map(|p| cell(trial.parameters.get(&p.name).map(ToString::to_string).unwrap_or_default())),
        );
        shown.add_row(row);
    }
    (!front.is_empty()).then(|| shown.trim_fmt())
}

fn baseline(e: &ExperimentSummary) -> String {
    let values: Vec<String> = match e.clusters.as_slice() {
        [_] => e.baseline.values().map(|value| figure(*value)).collect(),
        _ => {
            e.baseline.iter().map(|(name, value)| format!("{} on {}", figure(*value), plain(name))).collect()
        }
    };
    if values.is_empty() { "not measured".into() } else { values.join(", ") }
}

fn best(e: &ExperimentSummary) -> String {
    match (&e.best, e.gain) {
        (None, _) => "none".into(),
        (Some(best), _) if best.number == 0 => "nothing beat the baseline".into(),
        (Some(best), gain) => {
            let gain = gain.map(|gain| format!(", {}", Tone::Good.paint(&change(gain)))).unwrap_or_default();
            let n = best.number;
            let place = match e.clusters.as_slice() {
                [_] => String::new(),
                _ => format!(" on {}", plain(&best.cluster)),
            };
            format!("{} by trial {n}{place}{gain}", figure(best.objective))
        }
    }
}

/// What the optimizer makes of the results.
fn by_model(outlook: &Outlook) -> String {
    let r = &outlook.recommended;
    let who = if r.number == 0 { "the baseline".into() } else { format!("trial {}", r.number) };
    let left = outlook.gain_left.map(|left| format!("; expected gain left: {:.2} %", left * 100.0));
    format!(
        "{who} with {} (90 %: {} to {}), the best with a probability of {:.0} %{}",
        figure(r.objective),
        figure(r.low),
        figure(r.high),
        r.probability_best * 100.0,
        left.unwrap_or_default()
    )
}

/// How much of the gain is certain.
fn confirmed(detail: &ExperimentDetail) -> Option<String> {
    let e = &detail.summary;
    let Some(confirmation) = &e.confirmation else {
        let mut found = e.best.iter().map(|best| best.number).chain(e.front.iter().map(|f| f.number));
        let better = e.phase == Phase::Ended && found.any(|number| number > 0);
        return better.then(|| format!("no: {}", unconfirmed(e, &detail.spec)));
    };
    let shown = confirmation.shown();
    Some(if shown { Tone::Good.paint(&confirmation.told) } else { plain(&confirmation.told) })
}

/// The recommended values beside those that were found.
pub(crate) fn values(detail: &ExperimentDetail) -> Option<String> {
    let found = detail.sites.values().find_map(|site| site.found.as_ref());
    let recommended = detail.summary.recommended.as_ref()?;
    let recommended_as = if detail.summary.front.is_empty() { "recommended" } else { "a compromise" };
    let mut shown = table(&["parameter", "found", recommended_as, "unit"]);
    for parameter in &detail.spec.parameters {
        let of = |values: Option<&Parameters>| {
            values.and_then(|v| v.get(&parameter.name)).map(ToString::to_string).unwrap_or_default()
        };
        let (before, after) = (of(found), of(Some(&recommended.parameters)));
        let tone = if before == after { Tone::Usual } else { Tone::Good };
        let unit = parameter.unit.as_deref().unwrap_or_default();
        shown.add_row([cell(&parameter.name), cell(&before), tone.cell(&after), cell(unit)]);
    }
    Some(shown.trim_fmt())
}

async fn all(client: &Client, json: bool) -> Result<(), Fault> {
    let health = client.health().await?;
    let mut open = client.experiments().await?.experiments;
    open.retain(|e| e.phase != Phase::Ended);
    let clusters = client.clusters().await?;
    if json {
        say_json(&serde_json::json!({"health": health, "experiments": open, "clusters": clusters}));
    } else {
        say(format_args!("coordinator {} at {}", plain(&health.version), client.server()));
        for (name, part) in [("bus", &health.bus), ("store", &health.store), ("relay", &health.relay)] {
            if let Some(reason) = &part.reason {
                say(format_args!("  {name}: {}", Tone::Bad.paint(reason)));
            }
        }
        say("\nexperiments");
        experiments(&open);
        say("\nclusters");
        on_clusters(&clusters, &open);
    }
    if health.status == HealthStatus::Down {
        return Err(Fault::new(Kind::Failed, "the coordinator waits for something that is not there")
            .next("`autoopt doctor` says what"));
    }
    Ok(())
}

fn experiments(open: &[ExperimentSummary]) {
    if open.is_empty() {
        say("  none is open");
    }
    let now = Timestamp::now();
    for e in open {
        let standing = Standing::of(e, now);
        let phase = Tone::of_phase(e.phase).paint(super::phase(e.phase));
        let name = plain(&e.name);
        say(format_args!("  {name}  {phase}  {}/{}  {}", standing.done, standing.total, standing.best()));
    }
}

fn on_clusters(clusters: &[ClusterView], open: &[ExperimentSummary]) {
    if clusters.is_empty() {
        say("  none was used yet");
    }
    for cluster in clusters {
        let holder = open.iter().find(|e| Some(e.id) == cluster.experiment_id);
        let work = holder.map(|e| format!(", runs {}", plain(&e.name))).unwrap_or_default();
        let (tone, text) = state(cluster, Timestamp::now());
        say(format_args!("  {}  {}{work}", plain(&cluster.name), tone.paint(&text)));
        if let Some(text) = leaked(cluster) {
            say(text.replace("\n", "\n  "));
        }
    }
}
