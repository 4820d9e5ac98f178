//! Between parameters and the columns a model works on.
//!
//! A [`Point`] has one entry for each **column**. A number has a column in the unit interval; a categorical, a bool, and
//! a number's special values have a **nominal** column that holds an index. A parameter with a single value has none.
//! Values that mean the same have one point, the **canonical** one: see [`Codec::canonical`].

mod axis;
mod canonical;
mod repair;
mod scale;

use autoopt_epoch::formula::Linear;
use autoopt_epoch::space::{Parameter, ParameterType, Parameters, Value};

use axis::Axis;
use canonical::Condition;
pub use scale::Scale;

/// A space with no more points than this is searched one by one when nearly all were tried.
pub const ENUMERABLE: f64 = 20_000.0;

/// One set of values, by column.
pub type Point = Vec<f64>;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Column {
    /// A position in the unit interval; `levels` where only so many differ.
    Number { levels: Option<f64> },
    /// An index below `count`, without an order.
    Nominal { count: usize },
}

/// What is wrong with a space.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SpaceError {
    /// A parameter cannot be used as it is.
    #[error("parameter `{name}`: {reason}")]
    Parameter { name: String, reason: String },
    /// A constraint cannot be used as it is.
    #[error("constraint {number}: {reason}")]
    Constraint { number: usize, reason: String },
}

/// A constraint by axis: `Σ coefficient · value <= bound`.
#[derive(Clone, Debug)]
struct Bound {
    terms: Vec<(usize, f64)>,
    bound: f64,
    strict: bool,
}

impl Bound {
    /// Whether it is kept; as [`Linear::holds`] has it, a sum may be off by the rounding of its terms.
    fn kept(&self, axes: &[Axis], point: &[f64]) -> bool {
        let mut scale = self.bound.abs();
        let mut sum = 0.0;
        for (axis, coefficient) in &self.terms {
            let term = coefficient * axes[*axis].number(point);
            scale = scale.max(term.abs());
            sum += term;
        }
        let rounding = 1e-12 * scale;
        if self.strict { sum - self.bound < -rounding } else { sum - self.bound <= rounding }
    }
}

/// The code between [`Parameters`] and [`Point`]s of one space.
#[derive(Clone, Debug)]
pub struct Codec {
    names: Vec<String>,
    defaults: Vec<Value>,
    axes: Vec<Axis>,
    columns: Vec<Column>,
    bounds: Vec<Bound>,
    /// By axis: what it takes for it to have an effect.
    conditions: Vec<Vec<Condition>>,
    /// Axes whose common scale does not matter.
    scale_free: Vec<Vec<usize>>,
}

impl Codec {
    /// The code of a space, or what is wrong with it.
    pub fn new(parameters: &[Parameter], constraints: &[Linear]) -> Result<Self, SpaceError> {
        let mut codec = Self {
            names: parameters.iter().map(|p| p.name.clone()).collect(),
            defaults: parameters
                .iter()
                .map(|p| p.conform(&p.default).unwrap_or_else(|_| p.default.clone()))
                .collect(),
            axes: Vec::with_capacity(parameters.len()),
            columns: Vec::new(),
            bounds: Vec::with_capacity(constraints.len()),
            conditions: Vec::with_capacity(parameters.len()),
            scale_free: Vec::new(),
        };
        for (i, parameter) in parameters.iter().enumerate() {
            let fail = |reason| SpaceError::Parameter { name: parameter.name.clone(), reason };
            if codec.names[..i].contains(&parameter.name) {
                return Err(fail("there are two of that name".into()));
            }
            let axis = codec.axis(parameter).map_err(fail)?;
            codec.axes.push(axis);
            let conditions = codec.conditions(parameter).map_err(fail)?;
            codec.conditions.push(conditions);
        }
        for (i, constraint) in constraints.iter().enumerate() {
            let bound =
                codec.bound(constraint).map_err(|reason| SpaceError::Constraint { number: i + 1, reason })?;
            codec.bounds.push(bound);
        }
        Ok(codec)
    }

    fn axis(&mut self, parameter: &Parameter) -> Result<Axis, String> {
        if let Some(fixed) = &parameter.fixed {
            return Ok(Axis::Constant(parameter.conform(fixed)?));
        }
        let values: Vec<Value> = match parameter.kind {
            ParameterType::Bool => vec![Value::Bool(false), Value::Bool(true)],
            ParameterType::Categorical => parameter.choices.iter().cloned().map(Value::Text).collect(),
            ParameterType::Float | ParameterType::Int => return self.number(parameter),
        };
        match values.len() {
            0 => Err("a categorical needs `choices`".into()),
            1 => Ok(Axis::Constant(values[0].clone())),
            count => Ok(Axis::Choice { column: self.column(Column::Nominal { count }), values }),
        }
    }

    fn number(&mut self, parameter: &Parameter) -> Result<Axis, String> {
        let scale = Scale::new(parameter)?;
        let mut special: Vec<Value> = Vec::new();
        for value in &parameter.special {
            let number =
                value.as_f64().filter(|x| x.is_finite()).ok_or("special values have to be numbers")?;
            let value = scale.value(number);
            if !special.contains(&value) {
                special.push(value);
            }
        }
        let levels = scale.count();
        let (low, _) = scale.bounds();
        if levels == Some(1.0) && special.iter().all(|v| *v == scale.value(low)) {
            return Ok(Axis::Constant(scale.value(low)));
        }
        let column = self.column(Column::Number { levels });
        let special = (!special.is_empty())
            .then(|| (self.column(Column::Nominal { count: special.len() + 1 }), special));
        Ok(Axis::Number { column, scale, special })
    }

    fn column(&mut self, column: Column) -> usize {
        self.columns.push(column);
        self.columns.len() - 1
    }

    fn bound(&self, constraint: &Linear) -> Result<Bound, String> {
        let mut terms = Vec::with_capacity(constraint.coefficients.len());
        for (name, &coefficient) in &constraint.coefficients {
            let axis = self
                .names
                .iter()
                .position(|n| n == name)
                .ok_or_else(|| format!("there is no parameter `{name}`"))?;
            let numeric = match &self.axes[axis] {
                Axis::Constant(value) => value.as_f64().is_some(),
                Axis::Choice { values, .. } => values[0].as_f64().is_some(),
                Axis::Number { .. } => true,
            };
            if !numeric {
                return Err(format!("`{name}` is a categorical, which has no number to compare"));
            }
            if !coefficient.is_finite() {
                return Err(format!("the factor of `{name}` is not finite"));
            }
            if coefficient != 0.0 {
                terms.push((axis, coefficient));
            }
        }
        Ok(Bound { terms, bound: constraint.bound, strict: constraint.strict })
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How many different sets of values there are, constraints aside; `None` for a continuum.
    pub fn size(&self) -> Option<f64> {
        self.axes.iter().try_fold(1.0, |size, axis| match axis {
            Axis::Constant(_) => Some(size),
            Axis::Choice { values, .. } => Some(size * values.len() as f64),
            Axis::Number { scale, special, .. } => {
                let special = special.as_ref().map_or(0, |(_, values)| values.len());
                scale.count().map(|n| size * (n + special as f64))
            }
        })
    }

    /// What the columns of parameter number `parameter` hold at each of its levels, in ascending order: of a number at most
    /// `most`, evenly spread over its scale, then its special values; of others every choice. One level for a constant.
    pub fn levels(&self, parameter: usize, most: usize) -> Vec<Vec<(usize, f64)>> {
        self.levels_at(parameter, (0..most).map(|i| (i as f64 + 0.5) / most as f64))
    }

    /// The same with the smallest and the largest value among them.
    pub fn levels_to_the_ends(&self, parameter: usize, most: usize) -> Vec<Vec<(usize, f64)>> {
        self.levels_at(parameter, (0..most).map(|i| i as f64 / most.saturating_sub(1).max(1) as f64))
    }

    fn levels_at(&self, parameter: usize, places: impl Iterator<Item = f64>) -> Vec<Vec<(usize, f64)>> {
        match &self.axes[parameter] {
            Axis::Constant(_) => vec![Vec::new()],
            Axis::Choice { column, values } => (0..values.len()).map(|i| vec![(*column, i as f64)]).collect(),
            Axis::Number { column, scale, special } => {
                let nominal = special.as_ref().map(|(nominal, _)| *nominal);
                let mut numbers: Vec<f64> = places.map(|u| scale.decode(u)).collect();
                numbers.dedup();
                let special = special.iter().flat_map(|(_, values)| values.iter().cloned());
                let mut point = vec![0.5; self.columns.len()];
                let mut levels = Vec::new();
                for value in numbers.into_iter().map(|x| scale.value(x)).chain(special) {
                    if self.axes[parameter].write(&value, &mut point) {
                        let nominal = nominal.map(|nominal| (nominal, point[nominal]));
                        levels.push(std::iter::once((*column, point[*column])).chain(nominal).collect());
                    }
                }
                levels
            }
        }
    }

    /// How many parameters there are.
    pub fn parameters(&self) -> usize {
        self.axes.len()
    }

    /// All points that keep the constraints, where there are at most [`ENUMERABLE`] points; `None` where there are more.
    pub fn enumerate(&self) -> Option<impl Iterator<Item = Point> + '_> {
        let size = self.size().filter(|n| *n <= ENUMERABLE)? as u64;
        let points = (0..size).map(|mut rank| {
            let mut point = vec![0.5; self.columns.len()];
            for axis in &self.axes {
                let count = axis.count();
                axis.select((rank % count) as usize, &mut point);
                rank /= count;
            }
            self.snap(&point)
        });
        Some(points.filter(|point| self.satisfied(point)))
    }

    /// Uniform numbers, one for each column, as a point that decodes exactly.
    pub fn sample(&self, uniform: &[f64]) -> Point {
        let mut point = uniform.to_vec();
        for (x, column) in point.iter_mut().zip(&self.columns) {
            if let Column::Nominal { count } = column {
                *x = (*x * *count as f64).floor().min(*count as f64 - 1.0);
            }
        }
        for axis in &self.axes {
            if let Axis::Number { special: Some((column, values)), .. } = axis {
                // a special value is worth a look, not as much as the whole range: together a quarter of the samples
                let u = uniform[*column];
                point[*column] = if u < 0.75 {
                    0.0
                } else {
                    1.0 + ((u - 0.75) * 4.0 * values.len() as f64).floor().min(values.len() as f64 - 1.0)
                };
            }
        }
        self.snap(&point)
    }

    /// `uniform` with the numbers drawn to the middle of their ranges, `spread` being what is left of their distances from it. Those of
    /// which only the ratios matter stay: in the middle of theirs they may all be 0.
    pub fn drawn_in(&self, uniform: &[f64], spread: f64) -> Vec<f64> {
        let mut drawn = uniform.to_vec();
        let ratio = |axis: usize| self.scale_free.iter().any(|group| group.contains(&axis));
        for (i, axis) in self.axes.iter().enumerate() {
            if let Axis::Number { column, .. } = axis
                && !ratio(i)
            {
                drawn[*column] = 0.5 + spread * (drawn[*column] - 0.5);
            }
        }
        drawn
    }

    /// The values of a point.
    pub fn decode(&self, point: &[f64]) -> Parameters {
        let values = self.axes.iter().enumerate().map(|(i, axis)| match self.in_effect(i, point) {
            true => axis.decode(point),
            false => self.defaults[i].clone(),
        });
        self.names.iter().cloned().zip(values).collect()
    }

    /// The nearest point that stands for values exactly, and for all that mean the same.
    pub fn snap(&self, point: &[f64]) -> Point {
        let mut snapped = point.to_vec();
        for axis in &self.axes {
            axis.write(&axis.decode(point), &mut snapped);
        }
        self.canonical(&snapped)
    }

    /// The point of `parameters` and of all that mean the same; a parameter that is missing has its default, or the only
    /// value it can have. `None` if a value has no place here: an unknown choice, a number far outside the bounds, or another
    /// than the only one.
    pub fn encode(&self, parameters: &Parameters) -> Option<Point> {
        self.written(&self.scaled(parameters)).map(|point| self.canonical(&point))
    }

    /// Those of `parameters` that can vary in this space.
    pub fn varying(&self, parameters: &Parameters) -> Parameters {
        let mut all = parameters.clone();
        all.retain(|name, _| {
            let axis = self.names.iter().position(|n| n == name).map(|i| &self.axes[i]);
            axis.is_some_and(|axis| !matches!(axis, Axis::Constant(_)))
        });
        all
    }

    /// The point of `parameters` as they are.
    fn written(&self, parameters: &Parameters) -> Option<Point> {
        let mut point = vec![0.5; self.columns.len()];
        for (i, (axis, default)) in self.axes.iter().zip(&self.defaults).enumerate() {
            let given = parameters.get(&self.names[i]).filter(|_| self.in_effect(i, &point));
            let written = match (given, axis) {
                (None, Axis::Constant(_)) => true,
                (given, axis) => axis.write(given.unwrap_or(default), &mut point),
            };
            if !written {
                return None;
            }
        }
        Some(point)
    }

    /// Whether `parameters` are what a proposal may be: each value that has an effect among the parameter's own, every
    /// constraint kept.
    pub fn allows(&self, parameters: &Parameters) -> bool {
        self.written(parameters).is_some_and(|point| {
            let inside = self.names.iter().zip(&self.axes).enumerate().all(|(i, (name, axis))| {
                parameters.get(name).is_some_and(|v| !self.in_effect(i, &point) || axis.is(v, &point))
            });
            inside && self.satisfied(&point)
        })
    }

    /// Whether a point's values keep every constraint.
    pub fn satisfied(&self, point: &[f64]) -> bool {
        self.bounds.iter().all(|bound| bound.kept(&self.axes, point))
    }

    /// Points that differ from `point` in one discrete parameter: every other choice or special value, and the levels
    /// next to a number's own.
    pub fn neighbours(&self, point: &[f64]) -> Vec<Point> {
        let mut all = Vec::new();
        let mut with = |column: usize, x: f64| {
            let mut neighbour = point.to_vec();
            neighbour[column] = x;
            let neighbour = self.snap(&neighbour);
            if neighbour != point {
                all.push(neighbour);
            }
        };
        for axis in &self.axes {
            match axis {
                Axis::Constant(_) => {}
                Axis::Choice { column, values } => {
                    (0..values.len()).for_each(|i| with(*column, i as f64));
                }
                Axis::Number { column, scale, special } => {
                    if let Some((nominal, values)) = special {
                        (0..=values.len()).for_each(|i| with(*nominal, i as f64));
                    }
                    if let Some(count) = scale.count() {
                        let value = scale.decode(point[*column]);
                        let next = match scale {
                            Scale::LogWhole { .. } => [scale.encode(value - 1.0), scale.encode(value + 1.0)],
                            _ => [Some(point[*column] - 1.0 / count), Some(point[*column] + 1.0 / count)],
                        };
                        next.into_iter().flatten().for_each(|u| with(*column, u.clamp(0.0, 1.0)));
                    }
                }
            }
        }
        all
    }

    /// The columns of a parameter.
    pub fn columns_of(&self, name: &str) -> Vec<usize> {
        match self.names.iter().position(|n| n == name).map(|i| &self.axes[i]) {
            None | Some(Axis::Constant(_)) => Vec::new(),
            Some(Axis::Choice { column, .. }) => vec![*column],
            Some(Axis::Number { column, special, .. }) => {
                std::iter::once(*column).chain(special.as_ref().map(|(nominal, _)| *nominal)).collect()
            }
        }
    }

    /// The columns of number parameters that are in force at `point`: not those overridden by a special value, or of a
    /// parameter without an effect.
    pub fn active(&self, point: &[f64], column: usize) -> bool {
        self.axes.iter().enumerate().all(|(i, axis)| match axis {
            Axis::Number { column: c, special, .. } if *c == column => {
                special.as_ref().is_none_or(|(s, _)| point[*s] == 0.0) && self.in_effect(i, point)
            }
            _ => true,
        })
    }
}
