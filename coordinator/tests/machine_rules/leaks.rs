//! What an epoch leaves behind keeps the next one away until it is gone.

use autoopt_coordinator::machine::{Input, Phase};
use autoopt_epoch::failure::{FailureKind, Outcome};
use autoopt_epoch::message::{Action, Done, Epoch, EventKind, Leak, LeakKind, ReportState, Stage, TrialKind};
use serde_json::json;

use crate::support::{Lab, done, experiment_id, spec};

fn port(id: &str) -> Leak {
    Leak::new(LeakKind::Port, id)
}

fn leaving(order: &Epoch, lab: &Lab, leaks: &[Leak]) -> ReportState {
    match done(order, lab.now) {
        ReportState::Done(done) => ReportState::Done(Done { leaks: leaks.to_vec(), ..done }),
        other => other,
    }
}

/// A baseline that left the ports `p` and `q`, and a trial that waits.
fn leaked() -> Lab {
    let servers = json!({"backend": "servers", "settings": {"flavor": "f"}});
    let mut lab = Lab::with(&spec("e", &["c"], json!({"budget": {"trials": 1}, "bench": servers})));
    lab.trial("e", 20);
    let collect = lab.work_until(Stage::Collect);
    lab.report(&collect, leaving(&collect, &lab, &[port("q"), port("p")]));
    lab
}

#[test]
fn nothing_is_measured_until_what_was_left_is_gone() {
    let mut lab = leaked();
    assert_eq!(lab.outcomes(TrialKind::Baseline), [Outcome::Measured], "what was measured counts");
    assert!(lab.orders.is_empty());
    let paused = lab.events(EventKind::ClusterPaused)[0].clone();
    let told =
        "the baseline left behind port q (`openstack port delete q`), port p (`openstack port delete p`)";
    assert!(paused.message.contains(told), "{}", paused.message);
    assert_eq!(paused.detail["leaks"].as_array().unwrap().len(), 2);

    // looked for again and again, however long it takes, at the trial's expense in nothing
    for _ in 0..5 {
        assert!(lab.next());
        let look = lab.order();
        assert_eq!((look.stage, look.action, look.kind), (Stage::Bench, Action::Undo, TrialKind::Manual));
        assert_eq!(
            (look.leaks.as_slice(), look.backend.backend.as_str()),
            ([port("p"), port("q")].as_slice(), "servers")
        );
        lab.report(&look, leaving(&look, &lab, &look.leaks));
        assert!(lab.orders.is_empty());
        lab.crash();
    }
    // a person removes one of them, and then the other
    assert!(lab.next());
    let look = lab.order();
    lab.report(&look, leaving(&look, &lab, &[port("q")]));
    lab.give(Input::ResumeCluster { cluster: "c".into(), keep_leaks: false });
    let look = lab.order();
    assert_eq!(look.leaks, [port("q")]);
    lab.report(&look, done(&look, lab.now));
    assert_eq!((lab.orders[0].stage, lab.orders[0].action), (Stage::Apply, Action::Run));
    lab.work();
    assert_eq!(lab.outcomes(TrialKind::Manual), [Outcome::Measured]);
    assert_eq!((lab.experiment().phase, &lab.store.clusters["c"].leaked), (Phase::Ended, &None));
}

#[test]
fn a_cluster_that_cannot_be_looked_at_costs_the_trial_nothing() {
    let mut lab = leaked();
    for _ in 0..20 {
        assert!(lab.next());
        for look in std::mem::take(&mut lab.orders) {
            assert_eq!((look.stage, look.action), (Stage::Bench, Action::Undo));
            lab.fail(&look, FailureKind::Transient);
        }
    }
    assert_eq!(lab.outcomes(TrialKind::Manual), []);
}

#[test]
fn a_person_may_say_that_it_is_to_stay() {
    let mut lab = leaked();
    lab.give(Input::ResumeCluster { cluster: "c".into(), keep_leaks: true });
    assert!(lab.log.iter().any(|e| e.message.contains("stays, says a person")));
    lab.work();
    assert_eq!(lab.outcomes(TrialKind::Manual), [Outcome::Measured]);
    assert!(!lab.actions().contains(&"bench:undo".to_owned()));

    // also while it is being looked for
    let mut lab = leaked();
    lab.next();
    let look = lab.order();
    lab.give(Input::ResumeCluster { cluster: "c".into(), keep_leaks: true });
    lab.report(&look, leaving(&look, &lab, &look.leaks));
    lab.work();
    assert_eq!(lab.outcomes(TrialKind::Manual), [Outcome::Measured]);
}

#[test]
fn a_closing_restores_the_values_all_the_same_and_the_next_experiment_looks() {
    let mut lab = leaked();
    lab.give(Input::Control {
        experiment: experiment_id(1),
        control: autoopt_coordinator::machine::Control::Cancel,
    });
    while lab.experiment().phase != Phase::Ended {
        lab.work();
        assert!(lab.experiment().phase == Phase::Ended || lab.next());
    }
    assert!(!lab.actions().contains(&"bench:undo".to_owned()));
    lab.give(Input::Submit { id: experiment_id(2), spec: spec("f", &["c"], json!({})) });
    let look = lab.order();
    assert_eq!((look.stage, look.action, look.kind), (Stage::Bench, Action::Undo, TrialKind::Baseline));
    // as the experiment that left it reached the cluster, not as this one does
    assert_eq!((look.backend.backend.as_str(), look.leaks.len()), ("servers", 2));
}

#[test]
fn what_an_unfinished_benchmark_left_counts_too() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({})));
    let bench = lab.work_until(Stage::Bench);
    lab.fail(&bench, FailureKind::Invalid);
    let undo = lab.order();
    assert_eq!((undo.stage, undo.action, undo.leaks.len()), (Stage::Bench, Action::Undo, 0));
    lab.report(&undo, leaving(&undo, &lab, &[port("p")]));
    while lab.orders.is_empty() {
        assert!(lab.next());
    }
    assert_eq!(lab.order().leaks, [port("p")]);
}
