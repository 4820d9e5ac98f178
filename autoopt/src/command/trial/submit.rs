//! `autoopt trial submit`.

use std::io::Read;
use std::path::{Path, PathBuf};

use autoopt_coordinator::api::view::NewTrial;
use autoopt_epoch::id::TrialId;
use autoopt_epoch::space::{Parameter, ParameterType, Parameters, Value};

use super::super::reference;
use crate::client::Client;
use crate::fault::{Fault, Kind};
use crate::show::{plain, say, say_json};

/// Ask for one trial with values of your own
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each parameter of the experiment needs a value. Values given as arguments win over those of the file.

Examples:
  autoopt trial submit quadratic x=0.5 y=-3
  autoopt trial submit quadratic --file values.json --note 'as the vendor proposes'
  autoopt status quadratic --json | jq .best.parameters | autoopt trial submit quadratic --file - x=1
")]
pub(crate) struct Submit {
    /// The experiment: its name (the newest of that name) or id
    #[arg(value_parser = reference)]
    experiment: String,
    /// Values
    #[arg(value_name = "NAME=VALUE", value_parser = assignment)]
    values: Vec<(String, String)>,
    /// A JSON object with values; `-` is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Run it on this cluster only
    #[arg(long)]
    cluster: Option<String>,
    /// Why, for people
    #[arg(long)]
    note: Option<String>,
    /// An id of your own: the same command twice makes one trial
    #[arg(long, value_name = "UUID")]
    id: Option<TrialId>,
}

impl Submit {
    pub(crate) async fn run(self, client: &Client, json: bool) -> Result<(), Fault> {
        let mut parameters = self.file.as_deref().map(read).transpose()?.unwrap_or_default();
        if !self.values.is_empty() {
            // its space says whether `1` is a number or a text
            let space = client.experiment(&self.experiment).await?.spec.parameters;
            parameters.extend(self.values.into_iter().map(|(name, text)| {
                let value = typed(space.iter().find(|parameter| parameter.name == name), text);
                (name, value)
            }));
        }
        let trial = NewTrial { parameters, trial: self.id, cluster: self.cluster, note: self.note };
        let accepted = client.new_trial(&self.experiment, &trial).await?;
        if json {
            say_json(&accepted);
        } else {
            let (name, number, id) = (plain(&accepted.experiment), accepted.number, accepted.id);
            say(format_args!(
                "{name}#{number}: accepted, id {id}; `autoopt trial show {name}#{number}` shows it"
            ));
        }
        Ok(())
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("write NAME=VALUE".into()),
    }
}

/// The text as a value of the parameter. What does not fit stays text, for the coordinator to say what was expected.
fn typed(parameter: Option<&Parameter>, text: String) -> Value {
    let parsed = match parameter.map(|parameter| parameter.kind) {
        Some(ParameterType::Categorical) => None,
        Some(ParameterType::Bool) => text.parse().ok().map(Value::Bool),
        _ => text.parse().ok().map(Value::Int).or_else(|| finite(&text).map(Value::Float)),
    };
    parsed.unwrap_or(Value::Text(text))
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|x: &f64| x.is_finite())
}

fn read(file: &Path) -> Result<Parameters, Fault> {
    let name = if file == Path::new("-") { "standard input".into() } else { format!("`{}`", file.display()) };
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|e| Fault::new(Kind::Input, format!("cannot read {name}")).because(e))?;
    serde_json::from_str(&text).map_err(|e| {
        Fault::new(Kind::Input, format!("{name} does not hold values"))
            .because(e)
            .next("write a JSON object such as {\"x\": 0.5, \"mode\": \"fast\"}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, text: &str) -> Value {
        let parameter = serde_json::json!({"name": "p", "type": kind, "default": 0});
        typed(Some(&serde_json::from_value(parameter).unwrap()), text.into())
    }

    #[test]
    fn a_value_has_the_type_of_its_parameter() {
        assert_eq!(of("categorical", "1"), Value::Text("1".into()));
        assert_eq!(of("int", "1"), Value::Int(1));
        assert_eq!(of("float", "-2.5e3"), Value::Float(-2500.0));
        assert_eq!(of("bool", "true"), Value::Bool(true));
        assert_eq!(of("bool", "1"), Value::Text("1".into()));
        assert_eq!(of("float", "NaN"), Value::Text("NaN".into()));
        assert_eq!(typed(None, "3".into()), Value::Int(3));
    }

    #[test]
    fn an_assignment_has_a_name() {
        assert_eq!(assignment("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(assignment("=1").is_err() && assignment("a").is_err());
    }
}
