//! What an experiment's types cannot say.

use std::collections::BTreeSet;

use super::check_metrics;
use super::{AtEnd, Confirm, ExperimentSpec, WarmStart};
use crate::message::{Stage, TrialKind};
use crate::problem::Problem;
use crate::space::Space;
use crate::time::Period;

/// The longest name of an experiment, a cluster, a metric or an algorithm.
pub(super) const MAX_NAME: usize = 64;

/// Everything that is wrong with an experiment; empty if it can be run. Paths are those of the experiment file.
pub fn check(spec: &ExperimentSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    name(&mut problems, "name", &spec.name, "an experiment's name");
    clusters(&mut problems, &spec.clusters);
    at_least_one(&mut problems, "budget.trials", spec.budget.trials);
    at_least_one(&mut problems, "repeats", spec.repeats);
    at_least_one(&mut problems, "turn", spec.turn);
    if let Some(wall_time) = spec.budget.wall_time {
        positive(&mut problems, "budget.wall_time", wall_time);
    }
    if let Some(part) = spec.budget.stop_below
        && !(part > 0.0 && part < 1.0)
    {
        let message = format!("{part} is not a part of the best value; expected a number between 0 and 1");
        problems.push(
            Problem::new("budget.stop_below", message).with_hint("for example 0.005 for half a percent"),
        );
    }
    name(&mut problems, "algorithm.name", &spec.algorithm.name, "an algorithm's name");
    match Space::new(spec.parameters.clone(), &spec.constraints) {
        Ok(space) => {
            problems.extend(space.check_scale_free(&spec.scale_free));
            presets(&mut problems, &space, spec);
        }
        Err(found) => problems.extend(found),
    }
    earlier(&mut problems, &spec.algorithm.warm_start);
    for stage in Stage::ALL {
        check_stage(&mut problems, stage, spec);
    }
    check_metrics::check(&mut problems, spec);
    retry(&mut problems, spec);
    if let Some(baseline) = &spec.baseline {
        at_least_one(&mut problems, "baseline.every", baseline.every);
    }
    if let Some(given) = &spec.confirm {
        confirm(&mut problems, given);
    }
    if !spec.other_objectives.is_empty() {
        several_objectives(&mut problems, spec);
    }
    problems
}

/// Names go into routing keys, where `.`, `*` and `#` have a meaning of their own, and into file names.
fn name(problems: &mut Vec<Problem>, path: &str, given: &str, what: &str) {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if given.is_empty() {
        problems.push(Problem::new(path, format!("{what} is empty")));
    } else if given.len() > MAX_NAME {
        let length = given.chars().count();
        problems.push(Problem::new(
            path,
            format!("{what} has {length} characters; at most {MAX_NAME} are allowed"),
        ));
    } else if !given.chars().all(letters) {
        let plain: String = given.chars().map(|c| if letters(c) { c } else { '-' }).collect();
        let message = format!("`{given}` is not {what}; expected letters, digits, `_` and `-`");
        problems.push(Problem::new(path, message).with_hint(format!("for example `{plain}`")));
    }
}

fn clusters(problems: &mut Vec<Problem>, clusters: &[String]) {
    if clusters.is_empty() {
        let problem = Problem::new("clusters", "there is no cluster to run on; expected at least one name");
        problems.push(problem.with_hint("for example `clusters = [\"local\"]`"));
    }
    let mut seen = BTreeSet::new();
    for (i, cluster) in clusters.iter().enumerate() {
        let path = format!("clusters[{i}]");
        name(problems, &path, cluster, "a cluster's name");
        if !seen.insert(cluster) {
            problems.push(Problem::new(path, format!("the cluster `{cluster}` is given twice")));
        }
    }
}

/// A preset is a trial like any other.
fn presets(problems: &mut Vec<Problem>, space: &Space, spec: &ExperimentSpec) {
    if spec.presets.len() > spec.budget.trials as usize {
        let message = format!(
            "{} presets are more than the {} trials of the budget",
            spec.presets.len(),
            spec.budget.trials
        );
        problems.push(Problem::new("presets", message));
    }
    for (i, preset) in spec.presets.iter().enumerate() {
        if let Err(found) = space.conform(&space.filled(preset)) {
            problems.extend(found.into_iter().map(|mut problem| {
                let name = problem.path.strip_prefix("parameters").unwrap_or_default();
                problem.path = format!("presets[{i}]{name}");
                problem
            }));
        }
    }
}

/// Values of an earlier experiment mean something beside its own baseline only.
fn earlier(problems: &mut Vec<Problem>, warm_start: &[WarmStart]) {
    for (i, given) in warm_start.iter().enumerate() {
        let WarmStart::Earlier(earlier) = given else { continue };
        let measured = earlier.results.iter().any(|r| r.kind == TrialKind::Baseline && r.objective.is_some());
        if !measured {
            let message = format!("`{}` has no measured baseline to compare its results with", earlier.name);
            problems.push(Problem::new(format!("algorithm.warm_start[{i}]"), message));
        }
    }
}

fn check_stage(problems: &mut Vec<Problem>, stage: Stage, spec: &ExperimentSpec) {
    let given = spec.stage(stage);
    if given.backend.is_empty() {
        let problem = Problem::new(format!("{stage}.backend"), "the backend's name is empty");
        problems.push(problem.with_hint("known: `command`, `noop`"));
    }
    if given.keep.is_some() && stage != Stage::Load {
        let message =
            format!("`keep` belongs to `load` only, which stays while others run; this is `{stage}`");
        problems.push(
            Problem::new(format!("{stage}.keep"), message).with_hint("remove it, or move it to [load]"),
        );
    }
    positive(problems, &format!("{stage}.timeout"), given.timeout);
    positive(problems, &format!("{stage}.lease"), given.lease);
}

fn retry(problems: &mut Vec<Problem>, spec: &ExperimentSpec) {
    let retry = &spec.retry;
    let policies = [("transient", &retry.transient), ("invalid", &retry.invalid), ("broken", &retry.broken)];
    for (kind, policy) in policies {
        let path = format!("retry.{kind}.attempts");
        at_least_one(problems, &path, policy.attempts);
        if policy.backoff > policy.max_backoff {
            let message = format!(
                "the first pause, {}, is longer than `max_backoff`, {}",
                policy.backoff, policy.max_backoff
            );
            problems.push(Problem::new(format!("retry.{kind}.backoff"), message));
        }
    }
    at_least_one(problems, "retry.breaker_after", retry.breaker_after);
}

fn confirm(problems: &mut Vec<Problem>, confirm: &Confirm) {
    if confirm.pairs < 2 {
        let message = format!("`pairs` is {}; expected a whole number from 2 on", confirm.pairs);
        let problem = Problem::new("confirm.pairs", message);
        problems.push(problem.with_hint("one pair says nothing about the noise; 6 is the default"));
    }
    let part = |given: f64| given > 0.0 && given < 1.0;
    if let Some(precision) = confirm.precision {
        if !part(precision) {
            let message = format!("`precision` is {precision}; expected a number between 0 and 1");
            problems
                .push(Problem::new("confirm.precision", message).with_hint("0.05 is 5 % of the baseline"));
        }
        if confirm.max_pairs < confirm.pairs {
            let message = format!(
                "`max_pairs` is {}, less than `pairs`, of which there are {} at least",
                confirm.max_pairs, confirm.pairs
            );
            problems.push(Problem::new("confirm.max_pairs", message));
        }
    }
    if !part(confirm.level) {
        let message = format!("`level` is {}; expected a number between 0 and 1", confirm.level);
        problems.push(Problem::new("confirm.level", message).with_hint("0.95 is usual"));
    }
}

/// With several objectives there is a front, and no best trial that everything else could rest on.
fn several_objectives(problems: &mut Vec<Problem>, spec: &ExperimentSpec) {
    let mut refuse = |path: &str, message: &str, hint: &str| {
        problems.push(Problem::new(path, message).with_hint(hint));
    };
    if spec.at_end == AtEnd::Best {
        refuse(
            "at_end",
            "an experiment with several objectives has no best trial to leave the clusters with, and a compromise is for a person to choose",
            "`restore`, or `keep`",
        );
    }
    if spec.budget.stop_below.is_some() {
        refuse(
            "budget.stop_below",
            "of several objectives no expected gain is told",
            "remove it; `trials` and `wall_time` end the search",
        );
    }
}

fn at_least_one(problems: &mut Vec<Problem>, path: &str, given: u32) {
    if given == 0 {
        let key = path.rsplit('.').next().unwrap_or(path);
        let mut problem = Problem::new(path, format!("`{key}` is 0; expected a whole number from 1 on"));
        if key == "attempts" {
            problem = problem.with_hint("the first attempt counts: 1 means never again");
        }
        problems.push(problem);
    }
}

fn positive(problems: &mut Vec<Problem>, path: &str, given: Period) {
    if given.0.is_zero() {
        let problem = Problem::new(path, "the period is 0; expected a length of time above 0");
        problems.push(problem.with_hint("for example `30s`"));
    }
}
