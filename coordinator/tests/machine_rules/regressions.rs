//! Cases that once went wrong.

use autoopt_coordinator::machine::{Change, Input};
use autoopt_epoch::failure::{FailureKind, Outcome};
use autoopt_epoch::id::TrialId;
use autoopt_epoch::message::{self, Action, EventKind, ReportState, Stage, TrialKind};
use autoopt_epoch::space::Value;
use serde_json::json;
use uuid::Uuid;

use crate::support::{Lab, done, experiment_id, spec};

const ID: TrialId = TrialId(Uuid::from_u128(5));

fn trial(id: Option<TrialId>, cluster: Option<&str>) -> message::Trial {
    message::Trial {
        experiment: "e".into(),
        parameters: [("x".to_owned(), Value::Int(5))].into(),
        trial: id,
        ask: None,
        cluster: cluster.map(Into::into),
        note: None,
        outlook: None,
        compromise: None,
    }
}

/// Works until what is out for trial 1 is this step; it is not done.
fn work_until(lab: &mut Lab, stage: Stage, action: Action) -> message::Epoch {
    loop {
        let order = lab.order();
        if (order.number, order.stage, order.action) == (1, stage, action) {
            return order;
        }
        lab.report(&order, done(&order, lab.now));
    }
}

fn epochs_of_trial_1(lab: &Lab) -> usize {
    lab.store.epochs.values().filter(|e| e.number == 1).count()
}

/// Works and lets time pass until everything has ended.
fn to_the_end(lab: &mut Lab) {
    for _ in 0..200 {
        lab.work();
        if lab.world.experiments.is_empty() {
            return lab.store.check_ends();
        }
        assert!(lab.next(), "stuck: {:#?}", lab.world.experiments);
    }
    panic!("no end: {:#?}", lab.world.experiments);
}

#[test]
fn a_trial_that_ended_without_teaching_is_not_accepted_again() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({"budget": {"trials": 3}})));
    lab.send(trial(Some(ID), None));
    lab.give(Input::CancelTrial { trial: ID });
    lab.send(trial(Some(ID), None));
    assert_eq!(lab.events(EventKind::TrialAccepted).len(), 1);
}

#[test]
fn a_trial_pinned_to_a_cluster_without_a_baseline_ends() {
    let retry = json!({"retry": {"broken": {"attempts": 1}}});
    let mut lab = Lab::with(&spec("e", &["c", "d"], retry));
    lab.send(trial(None, Some("d")));
    let at = lab.orders.iter().position(|o| o.cluster == "d").expect("d's baseline is handed out");
    let order = lab.orders.remove(at);
    lab.fail(&order, FailureKind::Broken);
    lab.send(trial(None, Some("c")));
    to_the_end(&mut lab);
    let outcomes = lab.outcomes(TrialKind::Manual);
    assert_eq!(outcomes.len(), 2);
    assert_ne!(outcomes[0], Outcome::Measured, "it ran without a baseline to compare with");
}

#[test]
fn a_measurement_is_kept_though_its_load_could_not_be_removed() {
    let load = json!({"load": {"backend": "noop", "keep": "epoch"}, "budget": {"trials": 1}});
    let mut lab = Lab::with(&spec("e", &["c"], load));
    lab.send(trial(None, None));
    let undo = work_until(&mut lab, Stage::Load, Action::Undo);
    lab.fail(&undo, FailureKind::Broken);
    to_the_end(&mut lab);
    assert_eq!(epochs_of_trial_1(&lab), 1, "it was measured again");
    assert_eq!(lab.outcomes(TrialKind::Manual), [Outcome::Measured]);
}

#[test]
fn values_are_put_back_though_the_bench_could_not_be_removed() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({})));
    lab.send(trial(None, None));
    let bench = work_until(&mut lab, Stage::Bench, Action::Run);
    lab.fail(&bench, FailureKind::Violated);
    let undo = lab.order();
    assert_eq!((undo.stage, undo.action), (Stage::Bench, Action::Undo));
    lab.fail(&undo, FailureKind::Broken);
    let next = lab.order();
    assert_eq!((next.stage, next.action), (Stage::Apply, Action::Undo));
    lab.report(&next, done(&next, lab.now));
    assert_eq!(lab.events(EventKind::ClusterPaused).len(), 1, "leftovers need a look");
}

#[test]
fn a_finished_step_is_not_superseded_by_the_coordinators_own_absence() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({})));
    let order = lab.order();
    lab.report(&order, ReportState::Accepted);
    lab.now = lab.now.after(std::time::Duration::from_secs(7200));
    lab.crash();
    lab.give(Input::Tick);
    lab.report(&order, done(&order, lab.now));
    assert_eq!(lab.events(EventKind::LeaseExpired).len(), 0);
    assert_eq!(lab.events(EventKind::StageDone).len(), 1);
}

#[test]
fn a_trial_given_up_while_it_is_being_undone_does_not_run_again() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({"budget": {"trials": 1}})));
    lab.send(trial(Some(ID), None));
    let bench = work_until(&mut lab, Stage::Bench, Action::Run);
    lab.fail(&bench, FailureKind::Broken);
    lab.give(Input::CancelTrial { trial: ID });
    to_the_end(&mut lab);
    assert_eq!(epochs_of_trial_1(&lab), 1);
    assert_eq!(lab.outcomes(TrialKind::Manual), [Outcome::Abandoned]);
}

#[test]
fn a_question_is_not_late_because_the_coordinator_was_away() {
    let mut lab = Lab::with(&spec("e", &["c", "d"], json!({"algorithm": {"name": "gp"}})));
    lab.work();
    assert_eq!(lab.asks.len(), 1);
    lab.now = lab.now.after(std::time::Duration::from_secs(3600));
    lab.crash();
    // whatever else happens to the experiment meanwhile
    lab.send(trial(None, None));
    lab.give(Input::Tick);
    assert_eq!(lab.events(EventKind::OptimizerSilent).len(), 0);
    lab.later(60);
    assert_eq!(lab.events(EventKind::OptimizerSilent).len(), 1);
}

#[test]
fn a_pause_that_ended_while_nobody_was_there_or_could_hear_is_over() {
    for deaf in [false, true] {
        let retry = json!({"retry": {"broken": {"attempts": 9, "backoff": "30s"}, "breaker_pause": "5m"}});
        let mut lab = Lab::with(&spec("e", &["c"], retry));
        let order = lab.order();
        lab.fail(&order, FailureKind::Broken);
        assert!(lab.orders.is_empty(), "`c` is paused");
        lab.away(3600, deaf);
        lab.order();
    }
}

#[test]
fn what_is_half_measured_ends_where_no_cluster_is_left_to_measure_it_on() {
    let mut lab = Lab::with(&spec("e", &["c", "d"], json!({"repeats": 2, "budget": {"trials": 2}})));
    let at = lab.orders.iter().position(|o| o.cluster == "d").expect("d's baseline is handed out");
    let order = lab.orders.remove(at);
    let baseline_of_d = order.trial;
    lab.fail(&order, FailureKind::Broken);
    lab.send(trial(None, None));
    let second = |lab: &Lab| lab.store.epochs.values().any(|e| e.number == 1 && e.measurement.is_some());
    while !second(&lab) || lab.orders[0].stage != Stage::Bench {
        let order = lab.order();
        lab.report(&order, done(&order, lab.now));
    }
    let order = lab.order();
    lab.fail(&order, FailureKind::Broken);
    lab.work();
    let leave = Change { leave: ["c".to_owned()].into(), ..Change::default() };
    assert_eq!(lab.give(Input::Change { experiment: experiment_id(1), change: leave }), None);
    lab.give(Input::CancelTrial { trial: baseline_of_d });
    to_the_end(&mut lab);
    assert_eq!(lab.outcomes(TrialKind::Manual), [Outcome::Abandoned]);
}
