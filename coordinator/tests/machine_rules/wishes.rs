//! What a person wants of an experiment or of a trial.

use autoopt_coordinator::machine::{Control, Input, Phase};
use autoopt_epoch::failure::Outcome;
use autoopt_epoch::message::{EventKind, ReportState, Stage, TrialKind};
use autoopt_epoch::space::Value;
use serde_json::json;

use crate::support::{Lab, done, experiment_id, report, spec};

fn control(lab: &mut Lab, control: Control) -> Option<String> {
    lab.give(Input::Control { experiment: experiment_id(1), control })
}

#[test]
fn a_trial_that_cannot_be_used_is_refused_with_its_reason() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({"budget": {"trials": 1}})));
    let trial = |x: Value| autoopt_epoch::message::Trial {
        experiment: "e".into(),
        parameters: [("x".to_owned(), x)].into(),
        trial: Some(autoopt_epoch::id::TrialId(uuid::Uuid::from_u128(5))),
        ask: None,
        cluster: None,
        note: None,
        outlook: None,
        compromise: None,
    };
    let mut refused = |trial, expected: &str| {
        let reason = lab.send(trial).unwrap_or_else(|| panic!("taken, not `{expected}`"));
        assert!(reason.contains(expected), "{reason}");
        assert!(lab.events(EventKind::TrialRejected).last().unwrap().message.contains(expected));
    };
    let mut other = trial(Value::Int(1));
    other.experiment = "f".into();
    refused(other, "no open experiment is called `f`; open are: `e`");
    refused(trial(Value::Int(101)), "expected a whole number from 0 to 100");
    let mut elsewhere = trial(Value::Int(1));
    elsewhere.cluster = Some("d".into());
    refused(elsewhere, "`d` is no cluster of this experiment; its clusters are: `c`");
    let mut late = trial(Value::Int(1));
    late.ask = Some(autoopt_epoch::id::AskId(uuid::Uuid::nil()));
    refused(late, "answered already or no longer of interest");
    assert_eq!(lab.send(trial(Value::Int(1))), None);
    assert_eq!(lab.send(trial(Value::Float(1.0))), None, "the same again is silently nothing");
    assert_eq!(lab.experiment().accepted, 1);
    assert!(lab.send(trial(Value::Int(2))).unwrap().contains("known already, with other values"));
    assert!(lab.trial("e", 3).unwrap().contains("the budget of 1 trials is used up"));
    let collect = loop {
        let order = lab.order();
        if order.kind == TrialKind::Manual && order.stage == Stage::Collect {
            break order;
        }
        lab.report(&order, done(&order, lab.now));
    };
    lab.report(&collect, done(&collect, lab.now));
    assert_eq!(lab.send(trial(Value::Int(1))), None, "also once it has ended");
    lab.crash();
    assert_eq!(lab.send(trial(Value::Int(1))), None, "also after a restart");
    assert_eq!(lab.events(EventKind::TrialAccepted).len(), 1);
}

#[test]
fn pause_holds_new_epochs_back_and_resume_lets_them_go() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({})));
    lab.trial("e", 20);
    control(&mut lab, Control::Pause);
    control(&mut lab, Control::Pause);
    lab.work();
    assert_eq!(lab.outcomes(TrialKind::Baseline), [Outcome::Measured], "what runs goes on");
    assert_eq!(lab.store.epochs.len(), 1);
    control(&mut lab, Control::Resume);
    assert_eq!(lab.orders.len(), 1);
    assert_eq!(lab.events(EventKind::ExperimentPaused).len(), 1);
}

#[test]
fn stop_lets_the_running_trial_end_and_cancel_does_not() {
    for (wish, outcome) in [(Control::Stop, Outcome::Measured), (Control::Cancel, Outcome::Abandoned)] {
        let mut lab = Lab::with(&spec("e", &["c"], json!({})));
        lab.trial("e", 20);
        lab.trial("e", 30);
        let bench = loop {
            let order = lab.order();
            if order.kind == TrialKind::Manual && order.stage == Stage::Bench {
                break order;
            }
            lab.report(&order, done(&order, lab.now));
        };
        control(&mut lab, wish);
        assert!(control(&mut lab, Control::Pause).unwrap().contains("ending"));
        if wish == Control::Cancel {
            assert_eq!(lab.cancels.len(), 1);
            lab.report(&bench, ReportState::Heartbeat { note: None });
            assert_eq!(lab.cancels.len(), 2);
        } else {
            lab.report(&bench, done(&bench, lab.now));
        }
        lab.work();
        assert_eq!(lab.outcomes(TrialKind::Manual), [outcome, Outcome::Abandoned]);
        assert_eq!(lab.experiment().phase, Phase::Ended);
        assert_eq!(lab.actions().last().unwrap(), "apply:undo");
        assert!(control(&mut lab, wish).unwrap().contains("no open experiment"));
    }
}

#[test]
fn wall_time_ends_what_has_not_begun() {
    let budget = json!({"trials": 9, "wall_time": "100s"});
    let mut lab = Lab::with(&spec("e", &["c"], json!({"budget": budget})));
    lab.trial("e", 20);
    let apply = lab.work_until(Stage::Collect);
    lab.report(&apply, done(&apply, lab.now));
    lab.trial("e", 30);
    lab.later(100);
    assert!(lab.trial("e", 40).is_some());
    lab.work();
    assert_eq!(lab.outcomes(TrialKind::Manual), [Outcome::Measured, Outcome::Abandoned]);
    assert_eq!(lab.experiment().reason.as_deref(), Some("the wall time of the budget is over"));
}

#[test]
fn one_trial_can_be_given_up_waiting_or_running() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({})));
    lab.work();
    lab.trial("e", 20);
    lab.trial("e", 30);
    let mut trials: Vec<_> = lab.store.trials.values().filter(|t| t.number > 0).cloned().collect();
    trials.sort_by_key(|t| t.number);
    assert_eq!(lab.give(Input::CancelTrial { trial: trials[1].id }), None);
    assert_eq!(lab.give(Input::CancelTrial { trial: trials[0].id }), None);
    assert_eq!(lab.give(Input::CancelTrial { trial: trials[0].id }), None);
    assert!(lab.give(Input::CancelTrial { trial: trials[1].id }).unwrap().contains("ended already"));
    let taken = lab.orders.remove(0);
    lab.work();
    assert_eq!(lab.outcomes(TrialKind::Manual), [Outcome::Abandoned, Outcome::Abandoned]);
    assert_eq!(lab.experiment().phase, Phase::Ended);
    lab.give(Input::Report(report(&taken, lab.now, "w/2", ReportState::Accepted)));
    assert_eq!(
        lab.cancels.last().unwrap().epoch,
        taken.epoch,
        "who takes it from the queue now is told to stop"
    );
}
