//! The baseline once more, and what the search found against it.

use std::collections::BTreeMap;
use std::sync::Arc;

use autoopt_coordinator::machine::{Control, Input, Phase, TrialState};
use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::failure::{FailureKind, Outcome};
use autoopt_epoch::message::{self, Action, Done, EventKind, Measurement, ReportState, Stage, TrialKind};
use autoopt_epoch::space::Value;
use autoopt_epoch::statistics::Verdict;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::json;

use crate::support::{Lab, done, experiment_id, measured, spec};

fn confirming(clusters: &[&str], more: serde_json::Value) -> Arc<ExperimentSpec> {
    let mut all = json!({"confirm": {"pairs": 4}, "budget": {"trials": 1}});
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        all[key] = value;
    }
    spec("e", clusters, all)
}

fn control(lab: &mut Lab, control: Control) -> Option<String> {
    lab.give(Input::Control { experiment: experiment_id(1), control })
}

/// A lab that has just begun to confirm the one trial, 20 against the 7 that was found.
fn begun(clusters: &[&str], more: serde_json::Value) -> Lab {
    let mut lab = Lab::with(&confirming(clusters, more));
    lab.trial("e", 20);
    while lab.experiment().phase != Phase::Confirming {
        let order = lab.orders.remove(0);
        lab.report(&order, done(&order, lab.now));
    }
    lab
}

/// What was measured to compare, in order: cluster, pair, kind.
fn halves(lab: &Lab) -> Vec<(String, u32, TrialKind)> {
    let started = lab.log.iter().filter(|e| e.kind == EventKind::EpochStarted);
    let trial = |e: &message::Event| lab.store.trials[&e.trial.unwrap()].clone();
    started.map(trial).filter_map(|t| Some((t.cluster.clone()?, t.pair?, t.kind))).collect()
}

fn claim(lab: &Lab) -> autoopt_epoch::statistics::Claim {
    lab.experiment().confirmation.clone().unwrap().claim.unwrap()
}

#[test]
fn what_was_found_is_measured_afresh_in_pairs_with_the_baseline() {
    let mut lab = begun(&["c"], json!({}));
    assert_eq!(lab.trial("e", 30).unwrap(), "the search is over; what it found is being confirmed");
    lab.work();
    let halves = halves(&lab);
    let pairs: Vec<u32> = halves.iter().map(|(_, pair, _)| *pair).collect();
    assert_eq!(pairs, [1, 1, 2, 2, 3, 3, 4, 4]);
    let firsts: Vec<TrialKind> = halves.iter().step_by(2).map(|(_, _, kind)| *kind).collect();
    assert!(firsts[0] != firsts[1] && firsts[2] != firsts[3], "turned round in each two pairs: {firsts:?}");
    for two in halves.chunks(2) {
        assert!(two[0].2 != two[1].2);
    }
    let ended = lab.experiment();
    assert_eq!((ended.phase, ended.accepted), (Phase::Ended, 1));
    let claim = claim(&lab);
    assert!((claim.gain - 13.0 / 7.0).abs() < 1e-9, "{claim:?}");
    assert_eq!((claim.verdict, claim.pairs), (Verdict::Shown, 4));
    let told = "trial 1 measured afresh: gain +185.7 % [185.7, 185.7], 95 % interval, 4 pairs: shown";
    assert_eq!(lab.events(EventKind::ConfirmationEnded)[0].message, told);
    assert!(lab.log.last().unwrap().message.ends_with(told), "{}", lab.log.last().unwrap().message);
}

#[test]
fn the_baseline_is_put_back_as_it_was_found_for_each_of_its_runs() {
    let mut lab = begun(&["c"], json!({}));
    let mut seen = BTreeMap::<(TrialKind, Action), usize>::new();
    while !lab.orders.is_empty() {
        let order = lab.orders.remove(0);
        if order.stage == Stage::Apply {
            assert_eq!(order.restore.as_ref().unwrap()["x"], Value::Int(7));
            *seen.entry((order.kind, order.action)).or_default() += 1;
        }
        lab.report(&order, done(&order, lab.now));
    }
    let expected = [
        ((TrialKind::Baseline, Action::Undo), 4),
        ((TrialKind::Recommended, Action::Run), 4),
        ((TrialKind::Closing, Action::Undo), 1),
    ];
    assert_eq!(seen, expected.into());
    assert_eq!(lab.experiment().best.as_ref().unwrap().number, 1, "runs to compare are no candidates");
}

#[test]
fn every_cluster_is_compared_with_its_own_baseline() {
    let mut lab = begun(&["a", "b"], json!({"at_end": "best"}));
    while let Some(order) = (!lab.orders.is_empty()).then(|| lab.orders.remove(0)) {
        // everything takes ten times as long on b
        let mut state = done(&order, lab.now);
        if let (ReportState::Done(Done { measurement: Some(m), .. }), "b") = (&mut state, &*order.cluster) {
            m.objective *= 10.0;
        }
        lab.report(&order, state);
    }
    let claim = claim(&lab);
    assert_eq!((claim.clusters.len(), claim.pairs), (2, 8));
    for of_one in claim.clusters.values() {
        assert!((of_one.gain - 13.0 / 7.0).abs() < 1e-9, "{claim:?}");
    }
    assert_eq!(lab.store.last_apply("a"), Some(Action::Run), "confirmed, so the best values stay");
}

#[test]
fn what_is_not_shown_is_not_left_in_force() {
    let mut lab = begun(&["c"], json!({"at_end": "best"}));
    // both alike, with some noise
    for n in 0.. {
        let Some(order) = (!lab.orders.is_empty()).then(|| lab.orders.remove(0)) else { break };
        let mut state = done(&order, lab.now);
        if let ReportState::Done(Done { measurement: Some(m), .. }) = &mut state {
            m.objective = 10.0 + f64::from(n * 7 % 5);
        }
        lab.report(&order, state);
    }
    assert_eq!(claim(&lab).verdict, Verdict::NotShown);
    assert_eq!(lab.store.last_apply("c"), Some(Action::Undo));
}

#[test]
fn a_pair_with_a_failed_run_is_made_up_for_until_too_many_are_void() {
    for (failures, void, pairs) in [(1, 1, 4), (2, 2, 4), (99, 3, 0)] {
        let mut lab = begun(&["c"], json!({"retry": {"broken": {"attempts": 1}}}));
        let mut left = failures;
        while lab.experiment().phase != Phase::Ended {
            let Some(order) = (!lab.orders.is_empty()).then(|| lab.orders.remove(0)) else {
                assert!(lab.next());
                continue;
            };
            let bench = (order.stage, order.action) == (Stage::Bench, Action::Run);
            if order.kind == TrialKind::Baseline && bench && left > 0 {
                left -= 1;
                lab.fail(&order, FailureKind::Broken);
            } else {
                lab.report(&order, done(&order, lab.now));
            }
        }
        let confirmation = lab.experiment().confirmation.clone().unwrap();
        assert_eq!((confirmation.void, confirmation.done), (void, pairs));
        assert_eq!(confirmation.claim.is_some(), pairs > 0);
    }
}

#[test]
fn values_that_break_a_constraint_when_measured_afresh_are_not_confirmed() {
    let mut lab = begun(&["c"], json!({}));
    let violation = [message::Violation { constraint: "m <= 1".into(), by: 1.0 }];
    let mut recommended = 0;
    while let Some(order) = (!lab.orders.is_empty()).then(|| lab.orders.remove(0)) {
        let last = order.kind == TrialKind::Recommended && order.stage == Stage::Collect && {
            recommended += 1;
            recommended == 3
        };
        let state = if last { measured(&order, lab.now, &violation) } else { done(&order, lab.now) };
        lab.report(&order, state);
    }
    let confirmation = lab.experiment().confirmation.clone().unwrap();
    assert_eq!(confirmation.claim.as_ref().unwrap().verdict, Verdict::NotShown);
    assert!(confirmation.stopped.unwrap().contains("ended violated on `c`"));
    assert_eq!(confirmation.done, 2);
    lab.store.check_ends();
}

#[test]
fn a_person_who_stops_gets_the_interval_and_no_verdict_in_favour() {
    let mut lab = begun(&["c"], json!({}));
    while lab.experiment().confirmation.as_ref().unwrap().done < 2 {
        let order = lab.orders.remove(0);
        lab.report(&order, done(&order, lab.now));
    }
    control(&mut lab, Control::Pause);
    assert_eq!(lab.experiment().phase, Phase::Paused);
    control(&mut lab, Control::Resume);
    assert_eq!(lab.experiment().phase, Phase::Confirming);
    control(&mut lab, Control::Stop);
    lab.work();
    assert_eq!(lab.experiment().phase, Phase::Ended);
    let claim = claim(&lab);
    assert_eq!((claim.verdict, claim.pairs), (Verdict::NotShown, 2));
    assert!(claim.low > 0.0);
}

#[test]
fn nothing_is_confirmed_that_a_person_ended_before_or_that_is_no_better() {
    let mut stopped = Lab::with(&confirming(&["c"], json!({"budget": {"trials": 5}})));
    stopped.trial("e", 20);
    stopped.work();
    control(&mut stopped, Control::Stop);
    stopped.work();
    let mut worse = Lab::with(&confirming(&["c"], json!({})));
    worse.trial("e", 3);
    worse.work();
    for lab in [stopped, worse] {
        let ended = lab.experiment();
        assert_eq!((ended.phase, &ended.confirmation), (Phase::Ended, &None));
    }
}

#[test]
fn the_wall_time_ends_the_search_and_not_the_confirmation() {
    let more = json!({"budget": {"trials": 9, "wall_time": "1m"}});
    let mut lab = Lab::with(&confirming(&["c"], more));
    lab.trial("e", 20);
    lab.work();
    lab.later(61);
    assert_eq!(lab.experiment().phase, Phase::Confirming);
    lab.work();
    assert_eq!(claim(&lab).verdict, Verdict::Shown);
}

#[test]
fn a_crash_at_any_point_changes_nothing_about_the_claim() {
    let run = |crash_at: Option<usize>| {
        let mut lab = begun(&["a", "b"], json!({"baseline": {"every": 1}}));
        for n in 0.. {
            if crash_at == Some(n) {
                lab.crash();
            }
            let Some(order) = (!lab.orders.is_empty()).then(|| lab.orders.remove(0)) else { break };
            lab.report(&order, done(&order, lab.now));
        }
        (lab.experiment().confirmation.clone().unwrap(), halves(&lab))
    };
    let whole = run(None);
    for n in 0..70 {
        assert_eq!(run(Some(n)), whole, "crash before report {n}");
    }
}

#[test]
fn the_baseline_is_measured_again_once_in_each_block_and_told_to_the_optimizer() {
    let more =
        json!({"baseline": {"every": 3}, "budget": {"trials": 9}, "algorithm": {"name": "x"}, "repeats": 2});
    let mut lab = Lab::with(&spec("e", &["c"], more));
    lab.work();
    for x in 0..9 {
        let ask = lab.asks.pop().unwrap();
        let trial = message::Trial { ask: Some(ask.ask), ..by_hand(x) };
        lab.send(trial);
        lab.work();
    }
    let again: Vec<_> = lab.store.trials.values().filter(|t| t.again).collect();
    assert_eq!(again.len(), 3);
    assert!(again.iter().all(|t| t.kind == TrialKind::Baseline && t.measurements.len() == 1), "{again:?}");
    let begun: Vec<_> = lab.log.iter().filter(|e| e.kind == EventKind::EpochStarted).collect();
    let mut in_block = [0; 3];
    let mut trials = 0;
    for event in &begun {
        let trial = &lab.store.trials[&event.trial.unwrap()];
        match trial.kind {
            TrialKind::Baseline if trial.again => in_block[trials / 2 / 3] += 1,
            TrialKind::Proposed => trials += 1,
            _ => {}
        }
    }
    assert_eq!(in_block, [1, 1, 1]);
    let told = again.iter().filter(|t| matches!(&t.state, TrialState::Ended { observation: Some(_), .. }));
    assert_eq!(told.count(), 3);
    assert_eq!(lab.outcomes(TrialKind::Baseline), [Outcome::Measured; 4]);
}

fn by_hand(x: i64) -> message::Trial {
    serde_json::from_value(json!({"experiment": "e", "parameters": {"x": x}})).unwrap()
}

/// A whole experiment on a cluster whose runs vary by `noise`: five trials, of which the luckiest is confirmed.
fn experiment(seed: u64, noise: f64, value: impl Fn(f64) -> f64) -> Option<autoopt_epoch::statistics::Claim> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut lab = Lab::with(&confirming(&["c"], json!({"budget": {"trials": 5}})));
    for x in [10, 20, 30, 40, 50] {
        lab.trial("e", x);
    }
    while let Some(order) = (!lab.orders.is_empty()).then(|| lab.orders.remove(0)) {
        let x = order.parameters["x"].as_f64().unwrap();
        // the sum of twelve uniform numbers is nearly normal, with variance 1
        let error = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        let objective = value(x) * (noise * error).exp();
        let measurement = Measurement {
            metrics: [("m".to_owned(), objective)].into(),
            objective,
            others: Vec::new(),
            violations: Vec::new(),
        };
        let mut state = done(&order, lab.now);
        if let ReportState::Done(done) = &mut state {
            done.measurement = done.measurement.take().map(|_| measurement);
        }
        lab.report(&order, state);
    }
    lab.experiment().confirmation.clone()?.claim
}

#[test]
fn of_a_thousand_experiments_where_nothing_helps_few_claim_a_gain_although_each_found_a_best_trial() {
    let claims: Vec<_> = (0..1000).filter_map(|seed| experiment(seed, 0.1, |_| 50.0)).collect();
    // the baseline is the best of the six in every sixth, and then there is nothing to confirm
    assert!((790..880).contains(&claims.len()), "{}", claims.len());
    let shown = claims.iter().filter(|c| c.verdict == Verdict::Shown).count();
    let nominal = 0.025 * claims.len() as f64;
    assert!(shown as f64 <= nominal + 3.0 * nominal.sqrt(), "{shown} of {}", claims.len());
}

#[test]
fn a_true_gain_of_ten_percent_is_in_the_interval_as_often_as_that_says() {
    let better = |x: f64| if x == 7.0 { 50.0 } else { 55.0 };
    let claims: Vec<_> = (0..1000).filter_map(|seed| experiment(seed, 0.03, better)).collect();
    assert!(claims.len() > 990, "{}", claims.len());
    let covered = claims.iter().filter(|c| c.low <= 0.1 && 0.1 <= c.high).count() as f64;
    let (n, level) = (claims.len() as f64, 0.95_f64);
    assert!((covered / n - level).abs() <= 3.0 * (level * (1.0 - level) / n).sqrt(), "{covered} of {n}");
}

/// What is measured of two objectives by the first one's `x`: power grows faster than the rate.
fn rate_and_power(order: &message::Epoch, at: autoopt_epoch::time::Timestamp) -> ReportState {
    let mut state = done(order, at);
    if let ReportState::Done(Done { measurement: Some(m), .. }) = &mut state {
        let scale = if order.cluster == "b" { 10.0 } else { 1.0 };
        m.others = vec![scale * (1.0 + m.objective.powi(2))];
    }
    state
}

/// A search of two objectives that has tried `xs` and has just begun to confirm, if it does.
fn traded(clusters: &[&str], more: serde_json::Value, xs: &[i64]) -> Lab {
    let mut all = json!({
        "budget": {"trials": xs.len()}, "objective": {"maximize": "m", "unit": "ops/s"}, "other_objectives": [{"minimize": "m"}],
    });
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        all[key] = value;
    }
    let mut lab = Lab::with(&confirming(clusters, all));
    xs.iter().for_each(|x| assert_eq!(lab.trial("e", *x), None));
    while lab.experiment().phase == Phase::Running || lab.experiment().phase == Phase::Stopping {
        let order = lab.orders.remove(0);
        lab.report(&order, rate_and_power(&order, lab.now));
    }
    lab
}

/// Goes on to the end; `noise` is added to the second objective of the n-th run of the recommended values.
fn to_the_end(lab: &mut Lab, noise: impl Fn(u32) -> f64) {
    let mut runs = 0;
    while let Some(order) = (!lab.orders.is_empty()).then(|| lab.orders.remove(0)) {
        let mut state = rate_and_power(&order, lab.now);
        if let (ReportState::Done(Done { measurement: Some(m), .. }), TrialKind::Recommended) =
            (&mut state, order.kind)
        {
            m.others[0] += noise(runs);
            runs += 1;
        }
        lab.report(&order, state);
    }
}

#[test]
fn of_a_front_a_compromise_is_confirmed_in_every_objective_at_once() {
    // 7 was found; of 1, 12 and 20 the second gives away least of each range
    let mut lab = traded(&["a", "b"], json!({}), &[1, 12, 20]);
    let numbers: Vec<u32> = lab.experiment().front.iter().map(|f| f.number).collect();
    assert_eq!(numbers, [3, 2, 0, 1]);
    assert_eq!(lab.experiment().phase, Phase::Confirming);
    to_the_end(&mut lab, |n| f64::from(n % 2));
    let experiment = lab.experiment();
    let confirmation = experiment.confirmation.as_ref().unwrap();
    assert_eq!((confirmation.number, confirmation.done), (2, 8));
    assert_eq!(experiment.front.iter().map(|f| f.number).collect::<Vec<_>>(), numbers, "the search is over");
    let (claim, other) = (confirmation.claim.as_ref().unwrap(), &confirmation.other_claims[0]);
    assert_eq!(confirmation.other_claims.len(), 1);
    assert!((claim.gain - 5.0 / 7.0).abs() < 1e-9, "{claim:?}");
    assert_eq!((claim.level, other.level), (0.975, 0.975), "together 0.95");
    assert_eq!((claim.verdict, other.verdict), (Verdict::Shown, Verdict::NotShown));
    assert!(other.high < 0.0 && other.clusters.len() == 2, "145 in place of 50: {other:?}");
    let told = confirmation.told(&experiment.spec);
    assert!(
        told.starts_with(
            "trial 2 measured afresh in 8 pairs, 95 % intervals that hold together: gain in m +71.4 % [71.4, 71.4], shown to be better; \
             gain in m -19"
        ) && told.ends_with("shown to be worse"),
        "{told}"
    );
    let event = &lab.events(EventKind::ConfirmationEnded)[0];
    assert_eq!(event.message, told);
    assert_eq!(event.detail["other_claims"][0]["verdict"], "not_shown");
    assert!(!confirmation.shown());
    let stored = lab.store.stored();
    let (_, _, site) = stored.sites.iter().find(|(_, cluster, _)| cluster == "b").unwrap();
    let pair = &site.pairs[0];
    assert_eq!((pair.baseline_others.clone(), pair.recommended_others.len()), (vec![500.0], 1));
}

#[test]
fn the_noisiest_objective_decides_how_many_pairs_there_are() {
    let pairs = |noise: f64, more| {
        let mut lab = traded(&["a"], more, &[20]);
        to_the_end(&mut lab, |n| noise * f64::from(n % 3));
        let confirmation = lab.experiment().confirmation.clone().unwrap();
        (confirmation.done, confirmation.wanted)
    };
    let precise = json!({"confirm": {"pairs": 4, "precision": 0.05, "max_pairs": 50}});
    assert_eq!(pairs(0.0, precise.clone()), (4, 4));
    let (done, wanted) = pairs(20.0, precise);
    assert!(done == wanted && done > 4, "{done} of {wanted}");
}

#[test]
fn what_is_ended_early_shows_nothing_in_any_objective_and_the_baseline_is_no_compromise() {
    let mut lab = traded(&["a"], json!({}), &[20]);
    while lab.experiment().confirmation.as_ref().unwrap().done < 2 {
        let order = lab.orders.remove(0);
        lab.report(&order, rate_and_power(&order, lab.now));
    }
    control(&mut lab, Control::Stop);
    to_the_end(&mut lab, |_| 0.0);
    let experiment = lab.experiment();
    let confirmation = experiment.confirmation.as_ref().unwrap();
    assert!(confirmation.claims().all(|c| c.verdict == Verdict::NotShown));
    let told = confirmation.told(&experiment.spec);
    assert!(
        told.contains(", not shown to be better; gain in m") && told.contains("; not shown because it was"),
        "{told}"
    );
    // of 6 and the 7 that was found, equally near to the best of both, the better one by the first objective
    let lab = traded(&["a"], json!({}), &[6]);
    assert_eq!((lab.experiment().recommended(), &lab.experiment().confirmation), (None, &None));
}

#[test]
fn the_optimizer_s_compromise_is_confirmed_rather_than_the_measured_one() {
    let mut lab = Lab::with(&confirming(
        &["a"],
        json!({"algorithm": {"name": "gp"}, "budget": {"trials": 2}, "other_objectives": [{"minimize": "m"}]}),
    ));
    let work = |lab: &mut Lab| {
        while !lab.orders.is_empty() {
            let order = lab.orders.remove(0);
            lab.report(&order, rate_and_power(&order, lab.now));
        }
    };
    work(&mut lab);
    lab.answer(20);
    work(&mut lab);
    let answer = |ask: message::Ask, x: i64| -> message::Trial {
        serde_json::from_value(json!({
            "experiment": ask.experiment_id, "parameters": {"x": 12}, "ask": ask.ask,
            "compromise": {"trial": ask.results[1].trial, "number": 1, "parameters": {"x": x}},
        }))
        .unwrap()
    };
    let ask = lab.asks.pop().unwrap();
    assert!(lab.send(answer(ask, 101)).unwrap().contains("what its compromise recommends cannot be used"));
    lab.later(5);
    let ask = lab.asks.pop().unwrap();
    assert_eq!(lab.send(answer(ask, 20)), None);
    lab.crash();
    work(&mut lab);
    assert_eq!(lab.experiment().confirmation.as_ref().unwrap().number, 1, "2 is the nearest by measurements");
}
