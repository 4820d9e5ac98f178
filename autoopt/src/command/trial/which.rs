//! How a trial is named on the command line.

use autoopt_epoch::id::TrialId;

use crate::client::Client;
use crate::fault::{Fault, Kind};

/// A trial's id, or its experiment and number, as events and tables show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Id(TrialId),
    Numbered { experiment: String, number: u32 },
}

impl std::str::FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        match text.rsplit_once('#').map(|(experiment, number)| (experiment, number.parse())) {
            Some((experiment, Ok(number))) if !experiment.is_empty() => {
                Ok(Self::Numbered { experiment: experiment.into(), number })
            }
            _ => Err("write an id, or EXPERIMENT#NUMBER such as `mariadb-oltp#7`".into()),
        }
    }
}

impl std::fmt::Display for Which {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Numbered { experiment, number } => write!(f, "{experiment}#{number}"),
        }
    }
}

impl Which {
    /// Its id; a number is looked up.
    pub(super) async fn id(&self, client: &Client) -> Result<String, Fault> {
        let (experiment, number) = match self {
            Self::Id(id) => return Ok(id.to_string()),
            Self::Numbered { experiment, number } => (experiment, *number),
        };
        let trials = client.trials(experiment).await?;
        let ids: Vec<String> =
            trials.iter().filter(|trial| trial.number == number).map(|trial| trial.id.to_string()).collect();
        match ids.as_slice() {
            [id] => Ok(id.clone()),
            [] => Err(Fault::new(Kind::Missing, format!("`{experiment}` has no trial {number}"))
                .next(format!("`autoopt export {experiment}` lists those it has"))),
            several => Err(Fault::new(
                Kind::Missing,
                format!("`{experiment}` has {} trials with the number {number}", several.len()),
            )
            .next(format!("name one by its id: {}", several.join(", ")))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_named_by_id_or_number() {
        let id = "0198f6a0-52f1-7cc0-a1d5-6b1f3c5c9a10";
        assert!(matches!(id.parse(), Ok(Which::Id(found)) if found.to_string() == id));
        let numbered = Which::Numbered { experiment: "a-b".into(), number: 7 };
        assert_eq!("a-b#7".parse(), Ok(numbered));
        for wrong in ["", "7", "#7", "a#", "a#x", "a"] {
            assert!(wrong.parse::<Which>().is_err(), "{wrong}");
        }
    }
}
