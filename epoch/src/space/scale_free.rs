//! Groups of parameters whose common scale does not matter: multiplied by one positive number they mean the same.

use std::collections::BTreeSet;

use super::{Parameter, ParameterType, Space};
use crate::problem::Problem;

impl Space {
    /// Everything that is wrong with `groups`, each a list of parameters' names; paths are those of the experiment file.
    pub fn check_scale_free(&self, groups: &[Vec<String>]) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        for (i, group) in groups.iter().enumerate() {
            if group.len() < 2 {
                let message = "a common scale needs at least two parameters";
                problems.push(Problem::new(format!("scale_free[{i}]"), message));
            }
            for (j, name) in group.iter().enumerate() {
                let at = format!("scale_free[{i}][{j}]");
                let Some(parameter) = self.parameters.iter().find(|p| p.name == *name) else {
                    let problem = Problem::new(at, format!("unknown parameter `{name}`"));
                    problems.push(problem.suggest(name, self.parameters.iter().map(|p| p.name.as_str())));
                    continue;
                };
                if let Some(reason) = unscalable(parameter) {
                    problems.push(Problem::new(&at, format!("`{name}` cannot be scaled: {reason}")));
                }
                if !seen.insert(name.as_str()) {
                    problems.push(Problem::new(at, format!("`{name}` is in two groups, or twice in one")));
                }
            }
            for constraint in &self.constraints {
                let scaled = constraint.coefficients.keys().filter(|name| group.contains(name)).count();
                let kept = constraint.bound == 0.0 && scaled == constraint.coefficients.len();
                if scaled > 0 && !kept {
                    let message = format!(
                        "the constraint `{constraint}` does not stay the same when these are multiplied by one number; expected \
                         sums of them alone compared with each other or with 0"
                    );
                    problems.push(Problem::new(format!("scale_free[{i}]"), message));
                }
            }
        }
        problems
    }
}

/// Why a parameter cannot be multiplied by any number.
fn unscalable(p: &Parameter) -> Option<&'static str> {
    if p.kind != ParameterType::Float {
        Some("it is no float")
    } else if p.step.is_some() {
        Some("it has `step`s, which a multiple would miss")
    } else if !p.special.is_empty() {
        Some("it has special values, whose multiples mean something else")
    } else if !p.when.is_empty() {
        Some("it has an effect at times only (`when`)")
    } else if p.fixed.is_some() || p.low == p.high {
        Some("it has a single value")
    } else {
        None
    }
}
