//! Whether a known point is worth another measurement.

use crate::design;
use crate::space::Point;
use crate::surrogate::Gp;

/// Outcomes that a measurement is imagined to have.
const OUTCOMES: u32 = 63;
/// A new point tells also where to go from it, which looking one step ahead leaves out: another measurement has to be
/// worth so many times as much.
const PATIENCE: f64 = 2.0;

/// Which of `known` to measure again rather than `new`, if any.
///
/// The knowledge gradient over what can be recommended (Scott, Frazier, Powell 2011, "The correlated knowledge gradient for
/// simulation optimization of continuous parameters using Gaussian process regression"): after a measurement of `c` the mean
/// of `a` moves by `σ̃_a Z`, with `σ̃_a = Cov(f_a, f_c) / √(Var f_c + σ²)` and a standard normal `Z`; what counts is the
/// expected smallest mean then. Where there is no noise, a point that is known has nothing to tell.
pub fn again(gp: &Gp, known: &[Point], new: &Point) -> Option<usize> {
    let mut points = known.to_vec();
    points.push(new.clone());
    let (means, covariance) = gp.joint(&points);
    let noise = gp.hyper().log_noise.exp();
    let expected = |candidate: usize| {
        let deviation = (covariance[(candidate, candidate)].max(0.0) + noise).sqrt();
        // the new point can be recommended once it was measured
        let eligible = if candidate == known.len() { points.len() } else { known.len() };
        let smallest = |z: f64| {
            (0..eligible)
                .map(|a| means[a] + covariance[(a, candidate)] / deviation * z)
                .fold(f64::INFINITY, f64::min)
        };
        (0..OUTCOMES)
            .map(|i| smallest(design::normal_quantile((f64::from(i) + 0.5) / f64::from(OUTCOMES))))
            .sum::<f64>()
            / f64::from(OUTCOMES)
    };
    let smallest = means[..known.len()].iter().copied().fold(f64::INFINITY, f64::min);
    let gain = |candidate: usize| smallest - expected(candidate);
    let least = PATIENCE * gain(known.len()).max(0.0);
    (0..known.len())
        .map(|i| (gain(i), i))
        .filter(|(gain, _)| *gain > least.max(1e-9))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, i)| i)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Column;
    use crate::surrogate::{Data, Hyper};

    fn gp(log_noise: f64) -> Gp {
        let hyper = Hyper {
            log_lengths: vec![-1.5],
            log_signal: 0.0,
            log_main_lengths: vec![-1.5],
            log_main: -2.0,
            log_noise,
        };
        let points: Vec<Point> = [0.1, 0.3, 0.5, 0.7, 0.9].iter().map(|x| vec![*x]).collect();
        let data = Data { points, values: vec![0.2, -1.0, -0.9, 0.5, 1.0], repeats: vec![1.0; 5] };
        Gp::new(&[Column::Number { levels: None }], &hyper, &data).unwrap()
    }

    #[test]
    fn one_of_the_best_is_measured_again_only_if_there_is_noise() {
        let poor = vec![0.95];
        let noisy = gp(-1.0);
        assert!(matches!(again(&noisy, noisy.points(), &poor), Some(1 | 2)));
        let exact = gp(-25.0);
        assert_eq!(again(&exact, exact.points(), &vec![0.4]), None);
    }
}
