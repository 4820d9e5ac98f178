//! A conversation with `ask-tell`, for tests.

use autoopt_optimizer::asktell::Session;
use serde_json::{Map, Value, json};

/// A session that has been opened.
pub(crate) struct Talk(Session);

impl Talk {
    pub(crate) fn new(hello: &Value) -> Self {
        let mut talk = Self(Session::default());
        talk.send(hello);
        talk
    }

    /// The answer, which is no error.
    pub(crate) fn send(&mut self, request: &Value) -> Value {
        let answer: Value = serde_json::from_str(&self.0.answer(&request.to_string())).unwrap();
        assert!(answer.get("error").is_none(), "{request}: {answer}");
        answer
    }

    /// Asks for a trial and tells what `f` makes of its parameters, which are given back.
    pub(crate) fn trial(&mut self, f: impl FnOnce(&Map<String, Value>) -> Value) -> Map<String, Value> {
        let trial = self.send(&json!({"op": "ask"}))["trials"][0].clone();
        let parameters = trial["params"].as_object().unwrap().clone();
        let mut tell = f(&parameters);
        tell["op"] = "tell".into();
        tell["id"] = trial["id"].clone();
        self.send(&tell);
        parameters
    }
}

/// `n` floats from 0 to 1 called `x0`, `x1`, …
pub(crate) fn unit(n: usize) -> Value {
    (0..n).map(|i| json!({"name": format!("x{i}"), "type": "float", "low": 0, "high": 1})).collect()
}

/// The values of such parameters in their order.
pub(crate) fn numbers(parameters: &Map<String, Value>) -> Vec<f64> {
    (0..parameters.len()).map(|i| parameters[&format!("x{i}")].as_f64().unwrap()).collect()
}
