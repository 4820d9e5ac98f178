//! The answer to an ask: a pure function of it.

use std::sync::Arc;

use autoopt_epoch::formula::Linear;
use autoopt_epoch::message::{Ask, Compromise, Observation, Outlook};
use autoopt_epoch::space::{ParameterType, Parameters};

use crate::again::again;
use crate::constraint;
use crate::cost::Cost;
use crate::design::{self, Grid, NoneLeft};
use crate::feasibility;
use crate::known::Known;
use crate::model::{self, Model};
use crate::outlook::{Models, choose, outlook};
use crate::pareto;
use crate::placement::Classes;
use crate::propose::{Proposal, propose};
use crate::settings::{Design, Method, Settings, SettingsError};
use crate::space::{Codec, Column, SpaceError};
use crate::surrogate::warp::Warp;
use crate::surrogate::{Gp, GpError};
use crate::term::Term;

/// What to evaluate next.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// A value for each parameter, inside the space, every constraint kept.
    pub parameters: Parameters,
    /// Where it comes from.
    pub origin: Origin,
    /// For people: why this one.
    pub note: String,
    /// What the model makes of the results, where there is one.
    pub outlook: Option<Outlook>,
    /// With several goals: what would be recommended by now, where there is a model.
    pub compromise: Option<Compromise>,
}

/// Where a suggestion comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Space filling, before a model is of use.
    Design,
    /// The model's proposal.
    Model,
    /// The random control.
    Random,
}

/// Why there is no suggestion.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SuggestError {
    /// The algorithm, or one of its settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The space itself.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// The model cannot be computed.
    #[error(transparent)]
    Model(#[from] GpError),
    /// A constraint that cannot be read.
    #[error("constraint `{text}`: {reason}")]
    Constraint { text: String, reason: String },
    /// A result that is no number, of which it cannot be said whether it is good.
    #[error(
        "the objective of trial {number} on `{cluster}` is {objective}; expected a finite number, or none if it failed"
    )]
    Objective { number: u32, cluster: String, objective: f64 },
    /// No point satisfies all constraints.
    #[error(
        "no point of the space keeps all constraints ({constraints}); loosen one, or widen a parameter's bounds"
    )]
    Contradiction { constraints: String },
    /// A grid that lies beside what the constraints allow.
    #[error(
        "no point of the grid of {size} keeps all constraints ({constraints}); set more `levels`, or use another design"
    )]
    Grid { size: u64, constraints: String },
    /// Every point of a finite space is being evaluated.
    #[error("all {pending} points of the space are being evaluated; wait for one to end")]
    Exhausted { pending: usize },
}

/// Proposes the next trial. Depends on nothing but `ask`; the order of its results is of no matter.
pub fn suggest(ask: &Ask) -> Result<Suggestion, SuggestError> {
    let settings = Settings::new(&ask.algorithm)?;
    finite(&ask.results)?;
    let codec = codec(ask)?;
    let known = Known::new(ask, &codec);
    let seed = seed(ask, &known);
    match settings.method {
        Method::Design(_) => space_filling(ask, &settings, &codec, &known, seed, ask.budget),
        Method::Gp => modelled(ask, &settings, &codec, &known, seed),
    }
}

/// The design first, then the model.
fn modelled(
    ask: &Ask,
    settings: &Settings,
    codec: &Codec,
    known: &Known,
    seed: u64,
) -> Result<Suggestion, SuggestError> {
    let few = (codec.columns().len() as u32 / 2 + 1).clamp(5, 10);
    // where earlier results fill the space, one of this experiment ties them to it
    let few = if known.earlier.len() >= few as usize { 1 } else { few };
    let initial = settings.initial.unwrap_or(few);
    if known.seen.len() + known.pending.len() < initial as usize {
        return space_filling(ask, settings, codec, known, seed, initial);
    }
    if !ask.other_goals.is_empty() {
        return traded(ask, settings, codec, known, seed, initial);
    }
    let measured = known;
    let known = &measured.pooled();
    let Some(Model { mut acquisition, warp }) = model::model(codec, known, seed)? else {
        return space_filling(ask, settings, codec, known, seed, initial);
    };
    let cost = Cost::new(ask, codec);
    acquisition.terms = terms(ask, codec, measured, &acquisition.objective, &warp, cost.as_ref())?;
    let mut rng = design::generator(seed);
    let proposal = propose(&acquisition, codec, known, settings.candidates, seed, &mut rng);
    let proposal = match &cost {
        Some(cost) => proposal.map(|p| cost.thrifty(&acquisition, known, p, &mut rng)),
        None => proposal,
    };
    match proposal {
        Some(Proposal { point, promising }) => {
            let models = Models { warp: &warp, gps: std::slice::from_ref(&acquisition.objective) };
            let choice = choose(models, codec, known);
            let again = choice.as_ref().and_then(|choice| again(choice, ask, known));
            let note = match &again {
                Some(again) => again.note.to_owned(),
                None => improvement(&acquisition.objective, known, &point),
            };
            let point = again.map_or(point, |again| again.seen.point.clone());
            let note = match &cost {
                Some(cost) => format!("{note}; about {:.0} s", cost.seconds(&point)),
                None => note,
            };
            let promising = acquisition.promising(promising);
            let outlook =
                choice.and_then(|choice| outlook(models, &choice, known, ask.goal, &promising, seed));
            let parameters = codec.decode(&point);
            Ok(Suggestion { parameters, origin: Origin::Model, note, outlook, compromise: None })
        }
        None => space_filling(ask, settings, codec, known, seed, initial),
    }
}

/// What the model expects at `point`, for people.
fn improvement(objective: &Gp, known: &Known, point: &[f64]) -> String {
    let expected = objective.predict(point);
    let best = known.measured().map(|s| objective.mean_at(&s.point)).fold(f64::INFINITY, f64::min);
    format!(
        "noisy expected improvement; {:+.2} standard deviations from the best known mean",
        (best - expected.mean) / expected.variance.sqrt()
    )
}

/// The model's proposal for several goals.
fn traded(
    ask: &Ask,
    settings: &Settings,
    codec: &Codec,
    known: &Known,
    seed: u64,
    initial: u32,
) -> Result<Suggestion, SuggestError> {
    let prepare = |model: &mut Model| -> Result<(), GpError> {
        let Model { acquisition, warp } = model;
        let cost = Cost::new(ask, codec);
        acquisition.terms = terms(ask, codec, known, &acquisition.objective, warp, cost.as_ref())?;
        Ok(())
    };
    match pareto::propose(ask, codec, known, settings.candidates, seed, prepare)? {
        Some((point, compromise)) => {
            let note =
                format!("noisy expected hypervolume improvement over {} goals", ask.other_goals.len() + 1);
            let parameters = codec.decode(&point);
            Ok(Suggestion { parameters, origin: Origin::Model, note, outlook: None, compromise })
        }
        None => space_filling(ask, settings, codec, known, seed, initial),
    }
}

/// The evaluated parameters that no other are expected to be better than in every goal, with what is expected of them; the first is a
/// compromise. For one goal, see [`recommend`].
pub fn recommend_front(ask: &Ask) -> Result<Vec<pareto::Best>, SuggestError> {
    Ok(pareto::recommend(ask, &codec(ask)?)?)
}

/// What the worth of a point is multiplied by beside the improvement expected there.
fn terms(
    ask: &Ask,
    codec: &Codec,
    measured: &Known,
    objective: &Gp,
    warp: &Warp,
    cost: Option<&Cost>,
) -> Result<Vec<Arc<dyn Term>>, GpError> {
    let mut terms: Vec<Arc<dyn Term>> = Vec::new();
    if let Some(feasibility) = feasibility::model(codec.columns(), measured)? {
        terms.push(Arc::new(feasibility));
    }
    for constraint in constraint::models(ask, codec)? {
        terms.push(Arc::new(constraint));
    }
    if let Some(classes) = Classes::new(measured, objective, warp, codec.columns()) {
        terms.push(Arc::new(classes));
    }
    terms.extend(cost.map(Cost::term));
    Ok(terms)
}

/// The best of the evaluated parameters by the averaged models, which see through noise; by value where there is no
/// model. `None` if none was measured.
pub fn recommend(ask: &Ask) -> Option<Parameters> {
    let codec = codec(ask).ok()?;
    let known = Known::new(ask, &codec).pooled();
    if Settings::new(&ask.algorithm).ok()?.method != Method::Gp {
        return best_observed(&known);
    }
    match model::ensemble(&codec, &known, ask.seed) {
        Ok(Some(ensemble)) => {
            choose(ensemble.models(), &codec, &known).map(|c| c.recommended.parameters.clone())
        }
        _ => best_observed(&known),
    }
}

fn best_observed(known: &Known) -> Option<Parameters> {
    known
        .measured()
        .filter(|s| s.allowed)
        .min_by(|a, b| a.value.unwrap_or(f64::MAX).total_cmp(&b.value.unwrap_or(f64::MAX)))
        .map(|s| s.parameters.clone())
}

/// The next point of the design, which has `points` of them where it has to know.
fn space_filling(
    ask: &Ask,
    settings: &Settings,
    codec: &Codec,
    known: &Known,
    seed: u64,
    points: u32,
) -> Result<Suggestion, SuggestError> {
    let dimensions = codec.columns().len();
    let mut rng = design::generator(seed);
    let index = ask.number.saturating_sub(1);
    // a rejected point is replaced from other scrambles, so as not to take the place of a later one
    let scramble = |attempt: u32| design::seed(&[ask.seed, u64::from(attempt)]);
    let (point, origin, note) = match settings.design {
        Design::Sobol => {
            let numbers = codec.columns().iter().filter(|c| matches!(c, Column::Number { .. })).count();
            let before_a_model = settings.method == Method::Gp && numbers > 0;
            let draw = |attempt, _: &mut _| {
                let drawn = design::sobol(index, dimensions, scramble(attempt));
                match (before_a_model, index, attempt) {
                    (false, ..) => drawn,
                    // the first points stand for the whole space, and the first one alone does
                    (true, 0, 0) => codec.drawn_in(&drawn, design::spread(1, numbers)),
                    (true, ..) => {
                        codec.drawn_in(&drawn, design::spread(points.max(index + 1).max(2), numbers))
                    }
                }
            };
            let middle = codec.sample(&draw(0, &mut rng));
            let point = design::first(codec, known, &mut rng, draw);
            let note = match before_a_model && index == 0 && point.as_ref() == Ok(&middle) {
                true => "the middle of the space".to_owned(),
                false => format!("point {} of a scrambled Sobol sequence", index + 1),
            };
            (point, Origin::Design, note)
        }
        Design::Lhs => {
            let draw = |attempt, _: &mut _| design::latin(index, points, dimensions, scramble(attempt));
            let note = format!("point {} of a Latin hypercube of {points}", index + 1);
            (design::first(codec, known, &mut rng, draw), Origin::Design, note)
        }
        Design::Random => {
            let draw = |_, rng: &mut _| design::uniform(dimensions, rng);
            (design::first(codec, known, &mut rng, draw), Origin::Random, "a random point".to_owned())
        }
        Design::Grid => {
            let grid = settings
                .levels
                .map_or_else(|| Grid::filling(codec, points), |levels| Grid::new(codec, levels));
            let point = grid.next(codec, known, index, ask.seed).map_err(|none| match none {
                NoneLeft::Contradiction => {
                    SuggestError::Grid { size: grid.size(), constraints: ask.constraints.join(", ") }
                }
                NoneLeft::Exhausted => SuggestError::Exhausted { pending: known.pending.len() },
            })?;
            (Ok(point), Origin::Design, format!("of a grid of {} points", grid.size()))
        }
    };
    let point = point.map_err(|e| shortage(ask, known, e))?;
    Ok(Suggestion { parameters: codec.decode(&point), origin, note, outlook: None, compromise: None })
}

fn shortage(ask: &Ask, known: &Known, shortage: design::Shortage) -> SuggestError {
    match shortage {
        design::Shortage::Contradiction => {
            SuggestError::Contradiction { constraints: ask.constraints.join(", ") }
        }
        design::Shortage::Exhausted => SuggestError::Exhausted { pending: known.pending.len() },
    }
}

/// The seed of an answer: the experiment's, the answer's number, and what is pending.
fn seed(ask: &Ask, known: &Known) -> u64 {
    let pending: Vec<u64> = known.pending.iter().flatten().map(|x: &f64| x.to_bits()).collect();
    design::seed(&[&[ask.seed, u64::from(ask.number)], pending.as_slice()].concat())
}

/// Messages cannot carry a NaN, but programs can.
fn finite(results: &[Observation]) -> Result<(), SuggestError> {
    let objectives = results.iter().filter_map(|r| Some((r, r.objective?)));
    match objectives.into_iter().find(|(_, objective)| !objective.is_finite()) {
        Some((result, objective)) => {
            Err(SuggestError::Objective { number: result.number, cluster: result.cluster.clone(), objective })
        }
        None => Ok(()),
    }
}

/// The code of the ask's space.
pub(crate) fn codec(ask: &Ask) -> Result<Codec, SuggestError> {
    Ok(Codec::new(&ask.parameters, &constraints(ask)?)?.scale_free(&ask.scale_free)?)
}

fn constraints(ask: &Ask) -> Result<Vec<Linear>, SuggestError> {
    let numbers: Vec<&str> = ask
        .parameters
        .iter()
        .filter(|p| p.kind != ParameterType::Categorical)
        .map(|p| p.name.as_str())
        .collect();
    ask.constraints
        .iter()
        .map(|text| {
            Linear::parse(text, &numbers)
                .map_err(|e| SuggestError::Constraint { text: text.clone(), reason: e.to_string() })
        })
        .collect()
}
