//! The optimizer as a program: one JSON object a line in, one out, in order.
//!
//! The first line opens a session: `{"space": [parameter, …], "goal": "minimize" | "maximize", "seed", "budget", "workers"}`,
//! with an optional `algorithm`, `constraints`, `scale_free` and `outcome_constraints` (as in an experiment), and `goals`, a list, in place of
//! `goal` where there are several. Then `{"op": "ask", "n"}`, `{"op": "tell", "id" |
//! "params", "value"}` (`null` or `"failed"`: it did not work; `values` where there are several goals; with `std_error`, `placement`, `seconds` and `metrics` where they are known) and `{"op": "best"}`. Whatever is wrong is answered with
//! `{"error"}` and changes nothing.

use std::collections::BTreeMap;

use autoopt_epoch::experiment::Algorithm;
use autoopt_epoch::failure::Outcome;
use autoopt_epoch::formula::Comparison;
use autoopt_epoch::id::{AskId, ExperimentId, TrialId};
use autoopt_epoch::measure::BASELINE;
use autoopt_epoch::message::{Ask, Goal, Observation, Pending, TrialKind, Violation};
use autoopt_epoch::problem::Problem;
use autoopt_epoch::space::{Parameter, Parameters, Space, Value as Setting};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::space::Codec;
use crate::suggest::codec;
use crate::{recommend, recommend_front, suggest};

/// Trials asked for at once, at most.
const MOST: u64 = 1000;

/// A conversation; [`Session::answer`] takes one line and gives one.
#[derive(Debug, Default)]
pub struct Session {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    codec: Codec,
    /// What the next suggestion is computed from; its `pending` and `results` are the session's state.
    ask: Ask,
    pending: BTreeMap<String, Parameters>,
}

#[derive(Deserialize)]
struct Hello {
    space: Vec<Value>,
    goal: Option<Goal>,
    #[serde(default)]
    goals: Vec<Goal>,
    #[serde(default)]
    seed: u64,
    #[serde(default = "hundred")]
    budget: u32,
    #[serde(default = "one")]
    workers: u32,
    #[serde(default)]
    algorithm: Algorithm,
    #[serde(default)]
    constraints: Vec<String>,
    #[serde(default)]
    scale_free: Vec<Vec<String>>,
    #[serde(default)]
    outcome_constraints: Vec<String>,
}

const fn hundred() -> u32 {
    100
}

const fn one() -> u32 {
    1
}

impl Session {
    /// The answer to one line, without a line break.
    pub fn answer(&mut self, line: &str) -> String {
        let answer = serde_json::from_str::<Value>(line)
            .map_err(|e| format!("not valid JSON: {e}"))
            .and_then(|request| self.request(&request))
            .unwrap_or_else(|error| json!({ "error": error }));
        answer.to_string()
    }

    fn request(&mut self, request: &Value) -> Result<Value, String> {
        let Some(open) = &mut self.open else {
            self.open = Some(Open::new(request)?);
            return Ok(json!({"ok": true, "name": "autoopt", "version": env!("CARGO_PKG_VERSION")}));
        };
        match request.get("op").and_then(Value::as_str) {
            Some("ask") => open.ask(request),
            Some("tell") => open.tell(request),
            Some("best") => open.best(),
            Some(other) => Err(format!("unknown op `{other}`; there are `ask`, `tell` and `best`")),
            None => Err("a request needs an `op`: `ask`, `tell` or `best`".into()),
        }
    }
}

impl Open {
    fn new(request: &Value) -> Result<Self, String> {
        if request.get("space").is_none() {
            return Err("the first line has to carry `space` and `goal`".into());
        }
        let hello: Hello = serde_json::from_value(request.clone()).map_err(|e| e.to_string())?;
        let parameters = hello.space.iter().map(parameter).collect::<Result<Vec<_>, _>>()?;
        if parameters.is_empty() {
            return Err("`space` has no parameter".into());
        }
        let space = Space::new(parameters, &hello.constraints).map_err(|problems| joined(&problems))?;
        match space.check_scale_free(&hello.scale_free).as_slice() {
            [] => {}
            problems => return Err(joined(problems)),
        }
        crate::settings::Settings::new(&hello.algorithm).map_err(|e| e.to_string())?;
        let goals = match (hello.goal, hello.goals.is_empty()) {
            (Some(goal), true) => vec![goal],
            (None, false) => hello.goals,
            (None, true) => return Err("the first line has to carry `goal`, or `goals`".into()),
            (Some(_), false) => return Err("the first line carries `goal` or `goals`, not both".into()),
        };
        let relative = |c: &Comparison| c.names().iter().any(|n| n.starts_with(BASELINE));
        for text in &hello.outcome_constraints {
            match Comparison::parse(text) {
                Ok(constraint) if relative(&constraint) => {
                    return Err(format!("outcome constraint `{text}`: there is no baseline here"));
                }
                Ok(_) => {}
                Err(error) => return Err(format!("outcome constraint `{text}`: {error}")),
            }
        }
        let ask = Ask {
            ask: AskId(Uuid::nil()),
            experiment: "ask-tell".into(),
            experiment_id: ExperimentId(Uuid::nil()),
            number: 1,
            algorithm: hello.algorithm,
            seed: hello.seed,
            goal: goals[0],
            other_goals: goals[1..].to_vec(),
            parameters: space.parameters,
            constraints: hello.constraints,
            scale_free: hello.scale_free,
            outcome_constraints: hello.outcome_constraints,
            in_force: Vec::new(),
            budget: hello.budget,
            parallel: hello.workers,
            results: Vec::new(),
            pending: Vec::new(),
        };
        let codec = codec(&ask).map_err(|e| e.to_string())?;
        Ok(Self { codec, ask, pending: BTreeMap::new() })
    }

    fn ask(&mut self, request: &Value) -> Result<Value, String> {
        let n = match request.get("n") {
            None => 1,
            Some(n) => n
                .as_u64()
                .filter(|n| (1..=MOST).contains(n))
                .ok_or_else(|| format!("`n` has to be a whole number from 1 to {MOST}"))?,
        };
        let (number, pending) = (self.ask.number, self.ask.pending.len());
        let mut trials = Vec::new();
        for _ in 0..n {
            match suggest(&self.ask) {
                Ok(suggestion) => {
                    let id = self.ask.number.to_string();
                    self.ask.number += 1;
                    self.ask.pending.push(Pending {
                        trial: trial(&id),
                        cluster: None,
                        parameters: suggestion.parameters.clone(),
                    });
                    trials.push((id, suggestion));
                }
                Err(error) => {
                    self.ask.number = number;
                    self.ask.pending.truncate(pending);
                    return Err(error.to_string());
                }
            }
        }
        let answer: Vec<Value> =
            trials.iter().map(|(id, s)| json!({"id": id, "params": s.parameters, "note": s.note})).collect();
        self.pending.extend(trials.into_iter().map(|(id, s)| (id, s.parameters)));
        Ok(json!({ "trials": answer }))
    }

    fn tell(&mut self, request: &Value) -> Result<Value, String> {
        let values = self.values(request)?;
        let metrics: BTreeMap<String, f64> = match request.get("metrics") {
            None | Some(Value::Null) => BTreeMap::new(),
            Some(metrics) => {
                serde_json::from_value(metrics.clone()).map_err(|e| format!("`metrics`: {e}"))?
            }
        };
        let violations = if values.is_some() { self.violations(&metrics)? } else { Vec::new() };
        let seconds = optional(request, "seconds")?;
        let std_error = optional(request, "std_error")?;
        let placement = match request.get("placement") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(value) => return Err(format!("`placement` has to be a text, not {value}")),
        };
        let (trial, number, parameters) = match (request.get("id"), request.get("params")) {
            (Some(id), _) => {
                let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
                let parameters = self.pending.remove(&id).ok_or_else(|| {
                    format!("no trial `{id}` is pending; it was never asked, or was told already")
                })?;
                self.ask.pending.retain(|p| p.trial != trial(&id));
                (trial(&id), id.parse().unwrap_or_default(), parameters)
            }
            (None, Some(params)) => {
                let label = format!("told {}", self.ask.results.len());
                (trial(&label), 0, self.params(params)?)
            }
            (None, None) => return Err("`tell` needs an `id` or `params`".into()),
        };
        // where there is one worker, what it had last is in force for its next trial
        if self.ask.parallel == 1 && self.ask.parameters.iter().any(|p| p.change_cost.is_some()) {
            self.ask.in_force = vec![parameters.clone()];
        }
        self.ask.results.push(Observation {
            trial,
            number,
            kind: if number == 0 { TrialKind::Manual } else { TrialKind::Proposed },
            cluster: "ask-tell".into(),
            parameters,
            outcome: match &values {
                Some(_) if violations.is_empty() => Outcome::Measured,
                Some(_) => Outcome::Violated,
                None => Outcome::Infeasible,
            },
            objective: values.as_ref().map(|v| v[0]),
            others: values.map(|v| v[1..].to_vec()).unwrap_or_default(),
            std_error,
            repeats: 1,
            metrics,
            placement,
            seconds,
            violations,
        });
        Ok(json!({"ok": true}))
    }

    /// The value of each goal; `None` if the evaluation failed.
    fn values(&self, request: &Value) -> Result<Option<Vec<f64>>, String> {
        let number = |value: &Value| {
            value
                .as_f64()
                .filter(|x| x.is_finite())
                .ok_or_else(|| format!("`value` has to be a finite number, null or \"failed\", not {value}"))
        };
        let goals = 1 + self.ask.other_goals.len();
        match (request.get("values"), request.get("value")) {
            (None, None) if goals > 1 => {
                Err(format!("`tell` needs `values`, {goals} numbers, or null if the evaluation failed"))
            }
            (None, None) => Err("`tell` needs a `value`: a number, or null if the evaluation failed".into()),
            (Some(Value::Null), _) | (None, Some(Value::Null)) => Ok(None),
            (None, Some(Value::String(text))) if text == "failed" => Ok(None),
            (Some(Value::Array(values)), _) if values.len() == goals => {
                values.iter().map(number).collect::<Result<_, _>>().map(Some)
            }
            (Some(values), _) => {
                Err(format!("`values` has to be a list of {goals} numbers, or null, not {values}"))
            }
            (None, Some(_)) if goals > 1 => {
                Err(format!("there are {goals} goals: tell their `values`, not one `value`"))
            }
            (None, Some(value)) => Ok(Some(vec![number(value)?])),
        }
    }

    /// The outcome constraints that do not hold, by the metrics that were told.
    fn violations(&self, metrics: &BTreeMap<String, f64>) -> Result<Vec<Violation>, String> {
        let mut violations = Vec::new();
        for text in &self.ask.outcome_constraints {
            let constraint =
                Comparison::parse(text).map_err(|e| format!("outcome constraint `{text}`: {e}"))?;
            let margin = constraint
                .margin(&|name| metrics.get(name).copied())
                .map_err(|e| format!("outcome constraint `{text}`: {e}"))?;
            if !constraint.holds(margin) {
                violations.push(Violation { constraint: text.clone(), by: margin.max(f64::MIN_POSITIVE) });
            }
        }
        Ok(violations)
    }

    /// Parameters from outside: exactly the space's names, and values that have a place in it.
    fn params(&self, params: &Value) -> Result<Parameters, String> {
        let parameters: Parameters =
            serde_json::from_value(params.clone()).map_err(|e| format!("`params`: {e}"))?;
        let known = |name: &str| self.ask.parameters.iter().any(|p| p.name == name);
        if let Some(name) = parameters.keys().find(|name| !known(name)) {
            return Err(format!("the space has no parameter `{name}`"));
        }
        if let Some(p) = self.ask.parameters.iter().find(|p| !parameters.contains_key(&p.name)) {
            return Err(format!("`params` lacks `{}`; expected {}", p.name, p.expectation()));
        }
        match self.codec.encode(&parameters) {
            Some(_) => Ok(parameters),
            None => Err("`params` are of the wrong type, or far outside the space".into()),
        }
    }

    fn best(&self) -> Result<Value, String> {
        if !self.ask.other_goals.is_empty() {
            let front = recommend_front(&self.ask).map_err(|e| e.to_string())?;
            let compromise = front.first().ok_or("nothing was measured yet")?;
            let told: Vec<Value> =
                front.iter().map(|b| json!({"params": b.parameters, "values": b.values})).collect();
            return Ok(json!({"params": compromise.parameters, "front": told}));
        }
        recommend(&self.ask)
            .map(|parameters| json!({ "params": parameters }))
            .ok_or_else(|| "nothing was measured yet".into())
    }
}

/// A number from 0 on, if it is told.
fn optional(request: &Value, key: &str) -> Result<Option<f64>, String> {
    match request.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_f64()
            .filter(|x| x.is_finite() && *x >= 0.0)
            .map(Some)
            .ok_or_else(|| format!("`{key}` has to be a finite number from 0 on, not {value}")),
    }
}

fn joined(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn trial(label: &str) -> TrialId {
    TrialId::derived(Uuid::nil(), label)
}

/// A parameter of the protocol; a default, which an experiment needs, is made up where there is none.
fn parameter(value: &Value) -> Result<Parameter, String> {
    let mut value = value.clone();
    let object = value.as_object_mut().ok_or("a parameter has to be an object")?;
    if !object.contains_key("default") {
        let default = match object.get("type").and_then(Value::as_str) {
            Some("categorical") => {
                object.get("choices").and_then(|c| c.get(0)).cloned().unwrap_or_else(|| json!(""))
            }
            Some("bool") => json!(false),
            _ => object.get("low").cloned().unwrap_or_else(|| json!(0)),
        };
        object.insert("default".into(), default);
    }
    let name = object.get("name").cloned().unwrap_or_default();
    let mut parameter: Parameter =
        serde_json::from_value(value).map_err(|e| format!("parameter {name}: {e}"))?;
    if let (Setting::Float(x), true) =
        (&parameter.default, parameter.kind == autoopt_epoch::space::ParameterType::Int)
    {
        parameter.default = Setting::Int(x.ceil() as i64);
    }
    Ok(parameter)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = r#"{"space": [{"name": "x", "type": "float", "low": -1, "high": 1},
        {"name": "k", "type": "int", "low": 1, "high": 9}, {"name": "c", "type": "categorical", "choices": ["a", "b"]}],
        "goal": "maximize", "seed": 3}"#;

    fn send(session: &mut Session, line: &str) -> Value {
        serde_json::from_str(&session.answer(line)).unwrap()
    }

    #[test]
    fn a_wrong_line_is_an_error_and_changes_nothing() {
        let (mut clean, mut disturbed) = (Session::default(), Session::default());
        assert!(send(&mut disturbed, r#"{"op": "ask"}"#).get("error").is_some(), "before the first line");
        assert!(send(&mut disturbed, r#"{"space": [{"name": "x", "type": "float"}], "goal": "minimize"}"#)["error"]
            .is_string());
        for session in [&mut clean, &mut disturbed] {
            assert_eq!(send(session, HELLO)["ok"], true);
        }
        for line in [
            "{",
            "[1]",
            r#"{"op": "ask", "n": 0}"#,
            r#"{"op": "fly"}"#,
            r#"{"op": "tell", "id": "99", "value": 1}"#,
            r#"{"op": "tell", "id": "1"}"#,
            r#"{"op": "tell", "params": {"x": 1}, "value": 1}"#,
            r#"{"op": "tell", "params": {"x": 0, "k": 1, "c": "z"}, "value": 1}"#,
            r#"{"op": "best"}"#,
            r#"{"op": "tell", "params": {"x": 0, "k": 1, "c": "a"}, "value": 1, "std_error": -1}"#,
        ] {
            assert!(send(&mut disturbed, line)["error"].is_string(), "{line}");
        }
        assert_eq!(
            send(&mut clean, r#"{"op": "ask", "n": 2}"#),
            send(&mut disturbed, r#"{"op": "ask", "n": 2}"#)
        );
    }

    #[test]
    fn what_is_told_of_several_goals_and_constraints_is_checked() {
        let hello = |more: Value| {
            let mut hello = json!({"space": [{"name": "x", "type": "float", "low": 0, "high": 1}]});
            hello.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            hello.to_string()
        };
        for wrong in [
            json!({}),
            json!({"goal": "minimize", "goals": ["minimize", "maximize"]}),
            json!({"goal": "minimize", "outcome_constraints": ["a <"]}),
            json!({"goal": "minimize", "outcome_constraints": ["a < 2 * baseline.a"]}),
        ] {
            let answer = send(&mut Session::default(), &hello(wrong.clone()));
            assert!(answer["error"].is_string(), "{wrong}: {answer}");
        }
        let mut session = Session::default();
        let several = json!({"goals": ["minimize", "maximize"], "outcome_constraints": ["a <= 1"]});
        assert_eq!(send(&mut session, &hello(several))["ok"], true);
        let tell = |session: &mut Session, more: Value| {
            let mut tell = json!({"op": "tell", "params": {"x": 0.5}});
            tell.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            send(session, &tell.to_string())
        };
        for wrong in [
            json!({}),
            json!({"value": 1, "metrics": {"a": 0}}),
            json!({"values": [1], "metrics": {"a": 0}}),
            json!({"values": [1, "b"], "metrics": {"a": 0}}),
            json!({"values": [1, 2]}),
            json!({"values": [1, 2], "metrics": {"a": 0}, "placement": 3}),
            json!({"values": [1, 2], "metrics": {"a": 0}, "seconds": -3}),
        ] {
            let answer = tell(&mut session, wrong.clone());
            assert!(answer["error"].is_string(), "{wrong}: {answer}");
        }
        for right in [
            json!({"values": [1, 2], "metrics": {"a": 0}}),
            json!({"values": [0, 3], "metrics": {"a": 2}}),
            json!({"values": null}),
        ] {
            assert_eq!(tell(&mut session, right.clone())["ok"], true, "{right}");
        }
        let best = send(&mut session, r#"{"op": "best"}"#);
        assert_eq!(
            best["front"].as_array().map(Vec::len),
            Some(1),
            "what broke a constraint is not of the front: {best}"
        );
    }

    #[test]
    fn maximising_recommends_the_largest_and_ids_are_told_once() {
        let mut session = Session::default();
        send(&mut session, HELLO);
        for (x, value) in [(0.0, 1.0), (0.5, 9.0), (-0.5, 2.0)] {
            let line =
                json!({"op": "tell", "params": {"x": x, "k": 3, "c": "a"}, "value": value}).to_string();
            assert_eq!(send(&mut session, &line)["ok"], true);
        }
        assert_eq!(send(&mut session, r#"{"op": "best"}"#)["params"]["x"], 0.5);
        let id = send(&mut session, r#"{"op": "ask"}"#)["trials"][0]["id"].clone();
        let tell = json!({"op": "tell", "id": id, "value": null}).to_string();
        assert_eq!(send(&mut session, &tell)["ok"], true);
        assert!(send(&mut session, &tell)["error"].is_string());
    }
}
