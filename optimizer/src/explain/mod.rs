//! What the model thinks of an experiment, for people: main effects, importance, interactions, how far the recommendation
//! may be left, how well the model predicts, and where the data support no statement.

mod calibration;
mod caveats;
mod effects;
mod robustness;

use std::sync::Arc;

use autoopt_epoch::message::{Ask, Outlook};
use autoopt_epoch::space::Value;
use serde::Serialize;

use crate::design;
use crate::feasibility;
use crate::known::Known;
use crate::model;
use crate::outlook::{choose, outlook};
use crate::propose::propose;
use crate::space::{Codec, Point};
use crate::suggest::{SuggestError, codec};
use crate::term::Term;

pub use crate::model::{Kind, Surrogate};
pub use autoopt_epoch::message::{Effect, Estimate, Interaction, Level};
pub use calibration::Calibration;
pub use robustness::{Robustness, Room};

/// Functions drawn from the models for effects.
const DRAWS: usize = 40;
/// Candidates among which points are sought that may be better than the recommendation.
const CANDIDATES: usize = 1000;

/// Everything that is said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// Measured results with a place in the space, and those that failed.
    pub measured: usize,
    pub failed: usize,
    /// Standard deviation of one measurement at the recommendation, in the objective's unit, as the model sees it.
    pub noise: f64,
    pub outlook: Option<Outlook>,
    pub robustness: Robustness,
    /// By parameter that can vary, the most important first.
    pub effects: Vec<Effect>,
    /// The strongest first.
    pub interactions: Vec<Interaction>,
    pub calibration: Calibration,
    /// The models that are averaged, and why by these weights.
    pub surrogates: Vec<Surrogate>,
    /// What is not to be concluded, and why.
    pub caveats: Vec<String>,
}

/// Why nothing can be said.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ExplainError {
    /// Too little was measured for a model.
    #[error("{measured} results are measured; the model needs at least {needed}; let more trials run")]
    TooFew { measured: usize, needed: usize },
    /// Every parameter has a single value.
    #[error("no parameter of the space can vary")]
    Constant,
    /// The space, or the model.
    #[error(transparent)]
    Suggest(#[from] SuggestError),
}

/// Explains the results of `ask`, whatever algorithm proposed them.
pub fn explain(ask: &Ask) -> Result<Explanation, ExplainError> {
    let codec = codec(ask)?;
    if codec.columns().is_empty() {
        return Err(ExplainError::Constant);
    }
    let known = Known::new(ask, &codec);
    let measured = known.measured().count();
    let few = ExplainError::TooFew { measured, needed: caveats::LEAST };
    if measured < caveats::LEAST {
        return Err(few);
    }
    let seed = design::seed(&[ask.seed, known.seen.len() as u64]);
    let ensemble = model::ensemble(&codec, &known, seed).map_err(SuggestError::from)?;
    let Some(ensemble) = ensemble else { return Err(few) };
    let models = ensemble.models();
    let Some(choice) = choose(models, &codec, &known) else { return Err(few) };
    let centre = choice.recommended.point.clone();
    let mut rng = design::generator(seed);
    let works = feasibility::model(codec.columns(), &known).map_err(SuggestError::from)?;
    let promising = model::model(&codec, &known, seed)
        .map_err(SuggestError::from)?
        .and_then(|mut m| {
            m.acquisition.terms.extend(works.map(|works| Arc::new(works) as Arc<dyn Term>));
            let proposal = propose(&m.acquisition, &codec, &known, CANDIDATES, seed, &mut rng)?;
            Some(m.acquisition.promising(proposal.promising))
        })
        .unwrap_or_default();
    let paths = models.paths(codec.columns(), DRAWS, &mut rng);
    let look = |points: &[Point]| {
        models.values(&paths, &points.iter().map(|p| codec.canonical(p)).collect::<Vec<_>>())
    };
    let (effects, interactions) = effects::effects(&codec, ask, seed, look);
    let robustness = robustness::robustness(&codec, ask, &centre, look);
    let calibration = calibration::calibration(&ensemble.gps);
    let mut explanation = Explanation {
        measured,
        failed: known.seen.iter().filter(|s| !s.feasible).count(),
        noise: models.noise_at(&centre),
        outlook: outlook(models, &choice, &known, ask.goal, &promising, seed),
        robustness,
        effects,
        interactions,
        calibration,
        surrogates: ensemble.surrogates.clone(),
        caveats: Vec::new(),
    };
    explanation.caveats = caveats::caveats(&explanation, ask, codec.columns().len(), known.seen.len());
    explanation.caveats.extend(caveats::bent(ask, &codec, &ensemble.gps[0].hyper().bends));
    Ok(explanation)
}

/// A value with its parameter's name, as levels and rooms have it.
fn value_at(codec: &Codec, point: &[f64], name: &str) -> Value {
    codec.decode(point).remove(name).unwrap_or(Value::Bool(false))
}
