//! What is finer than a model's length scales, told from noise.
//!
//! A model leaves a remainder at every result, and calls its variance noise. Part of that may be real: what the function does over shorter distances. What is
//! real is alike at points that are close to each other, and the same where one point was measured twice; noise is not. So the remainder
//! is a Gaussian process of short length scales with a share of its variance, plus noise with the rest; which share, the results say as
//! far as they can, by the likelihood of each.

use faer::Mat;

use super::gp::{Gp, Hyper, Solved};
use super::kernel::{Kernel, Shape};
use super::part::thinned;
use super::tasks;
use crate::space::{Column, Point};

/// Shares of the remainder's variance that may be real, each as probable as another beforehand: where points are far apart, half of a remainder is.
const SHARES: [f64; 6] = [0.02, 0.2, 0.4, 0.6, 0.8, 0.98];
/// Length scales of what is finer, as parts of the model's.
const FINER: f64 = 0.1;
/// Results that are looked at, the time being cubic in them.
const MOST: usize = 300;
/// Standard deviation of the share below which it counts as known; that of [`SHARES`] is 0.34.
const SETTLED: f64 = 0.15;

/// What the function, of which a model sees what is coarse, is expected to be at the points that were measured.
#[derive(Clone, Debug)]
pub struct Finer {
    points: Vec<Point>,
    /// By share: it, how probable it is, and by point what is expected if it is so.
    shares: Vec<(f64, f64, Vec<f64>)>,
}

impl Finer {
    /// From the results that `model` is conditioned on, those of earlier experiments and of clusters among them; what is finer is looked at
    /// where the function itself was measured.
    pub fn new(columns: &[Column], model: &Gp) -> Self {
        let hyper = model.hyper();
        let of = |i: usize| model.of().get(i).copied().unwrap_or(0);
        let all = model.values();
        let (mut rows, mut others): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(|i| of(*i) == 0);
        let thin = |some: &mut Vec<usize>| {
            let kept = thinned(&some.iter().map(|i| all[*i]).collect::<Vec<f64>>(), MOST);
            *some = kept.into_iter().map(|k| some[k]).collect();
        };
        thin(&mut rows);
        let own = rows.len();
        thin(&mut others);
        rows.extend(others);
        let mut points: Vec<Point> = rows.iter().map(|i| model.points()[*i].clone()).collect();
        let values: Vec<f64> = rows.iter().map(|i| all[*i]).collect();
        let noise: Vec<f64> = rows.iter().map(|i| model.noise(*i)).collect();
        let tasks: Vec<usize> =
            if model.of().is_empty() { Vec::new() } else { rows.iter().map(|i| of(*i)).collect() };
        let coarse = tasks::covariance(model.kernel(), hyper, &points, &tasks);
        points.truncate(own);
        let finer = Hyper {
            shape: Shape::Rough,
            log_lengths: hyper.log_lengths.iter().map(|l| l + FINER.ln()).collect(),
            log_signal: hyper.log_noise,
            log_main: f64::NEG_INFINITY,
            ..hyper.clone()
        };
        let finer = tasks::covariance(&Kernel::new(columns, &finer), &finer, &points, &[]);
        let each = SHARES.into_iter().filter_map(|share| {
            let noise_of = |i: usize| if i < own { (1.0 - share) * noise[i] } else { noise[i] };
            // the lower triangle, as those that it is made of
            let covariance = Mat::from_fn(rows.len(), rows.len(), |i, j| {
                let real = if i.max(j) < own { share * finer[(i, j)] } else { 0.0 };
                coarse[(i, j)] + real + if i == j { noise_of(i) } else { 0.0 }
            });
            let solved = Solved::new(covariance, &values, model.kernel().variance()).ok()?;
            let expected = (0..own).map(|i| values[i] - noise_of(i) * solved.alpha[i]).collect();
            Some((share, solved.log_likelihood(), expected))
        });
        let mut shares: Vec<(f64, f64, Vec<f64>)> = each.collect();
        let most = shares.iter().map(|(_, density, _)| *density).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = shares.iter().map(|(_, density, _)| (density - most).exp()).sum();
        shares.iter_mut().for_each(|(_, p, _)| *p = (*p - most).exp() / sum);
        Self { points, shares }
    }

    /// The points, each as often as it was measured.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// What is expected at each of the points.
    pub fn expected(&self) -> Vec<f64> {
        let at = |i: usize| self.shares.iter().map(|(_, p, expected)| p * expected[i]).sum();
        (0..self.points.len()).map(at).collect()
    }

    /// The points that are best if the remainder is nearly all noise, and if it is nearly all real.
    pub fn best(&self) -> Option<[&Point; 2]> {
        let best = |(_, _, expected): &(f64, f64, Vec<f64>)| {
            (0..expected.len()).min_by(|a, b| expected[*a].total_cmp(&expected[*b]))
        };
        let of = |share: Option<&(f64, f64, Vec<f64>)>| Some(&self.points[share.and_then(best)?]);
        Some([of(self.shares.first())?, of(self.shares.last())?])
    }

    /// Whether the results tell how much of the remainder is real.
    pub fn is_settled(&self) -> bool {
        let mean: f64 = self.shares.iter().map(|(share, p, _)| p * share).sum();
        let variance: f64 = self.shares.iter().map(|(share, p, _)| p * (share - mean).powi(2)).sum();
        variance.sqrt() < SETTLED
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design;
    use crate::surrogate::{Bends, Data};

    const COLUMNS: [Column; 1] = [Column::Number { levels: None }];

    /// A model of length scale 0.5 and noise of 0.2 of what `remainder` of the index adds to a slow wave, at 20 pairs of points, the two of one
    /// `between` and the pairs half a length scale apart.
    fn finer(between: f64, remainder: impl Fn(usize) -> f64) -> (Finer, Gp) {
        let points: Vec<Point> =
            (0..40).map(|i| vec![0.25 * f64::from(i / 2) + between * f64::from(i % 2)]).collect();
        let values: Vec<f64> = points.iter().enumerate().map(|(i, p)| p[0].sin() + remainder(i)).collect();
        let hyper = Hyper {
            shape: Shape::Rough,
            log_lengths: vec![0.5f64.ln()],
            log_signal: 0.0,
            log_main_lengths: vec![0.0],
            log_main: -1.0,
            log_noise: 0.04f64.ln(),
            tasks: Vec::new(),
            bends: Bends::default(),
        };
        let data = Data { points, values, repeats: vec![1.0; 40], ..Data::default() };
        let gp = Gp::new(&COLUMNS, &hyper, &data).unwrap();
        (Finer::new(&COLUMNS, &gp), gp)
    }

    /// Which part of what the model leaves unexplained is expected to be real, by least squares.
    fn part((finer, gp): &(Finer, Gp)) -> f64 {
        let (mut both, mut square) = (0.0, 0.0);
        for ((point, expected), value) in finer.points().iter().zip(finer.expected()).zip(gp.values()) {
            let mean = gp.mean_at(point);
            both += (expected - mean) * (value - mean);
            square += (value - mean).powi(2);
        }
        both / square
    }

    fn noise(i: usize, seed: u64) -> f64 {
        0.2 * design::normal(&mut design::generator(design::seed(&[i as u64, seed])))
    }

    #[test]
    fn close_points_tell_noise_from_what_is_real() {
        for seed in 0..5 {
            let noisy = finer(0.004, |i| noise(i, seed));
            assert!(noisy.0.is_settled() && part(&noisy) < 0.25, "seed {seed}: {}", part(&noisy));
            let real = finer(0.004, |i| noise(i / 2, seed));
            assert!(real.0.is_settled() && part(&real) > 0.9, "seed {seed}: {}", part(&real));
        }
    }

    #[test]
    fn points_that_are_measured_again_tell_it_too() {
        let noisy = finer(0.0, |i| noise(i, 1));
        assert!(noisy.0.is_settled() && part(&noisy) < 0.25, "{}", part(&noisy));
        let real = finer(0.0, |i| noise(i / 2, 1));
        assert!(real.0.is_settled() && part(&real) > 0.9, "{}", part(&real));
    }

    #[test]
    fn far_from_each_other_half_of_the_remainder_is_held_for_real() {
        let far = finer(0.125, |i| noise(i, 1));
        assert!(!far.0.is_settled() && (part(&far) - 0.5).abs() < 0.1, "{}", part(&far));
        let [if_noise, if_real] = far.0.best().unwrap();
        assert!(if_noise != if_real);
    }
}
