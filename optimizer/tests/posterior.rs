//! The model against an implementation of its own: dense matrices, Gaussian elimination, the kernel written out.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use autoopt_optimizer::acquisition::Acquisition;
use autoopt_optimizer::design;
use autoopt_optimizer::space::{Column, Point};
use autoopt_optimizer::surrogate::{Bends, Data, Draws, Gp, Hyper, Shape, Weighted};
use autoopt_optimizer::term::Term;

const COLUMNS: [Column; 3] =
    [Column::Number { levels: None }, Column::Number { levels: None }, Column::Nominal { count: 3 }];

const SHAPES: [Shape; 2] = [Shape::Rough, Shape::Smooth];

fn hyper(shape: Shape) -> Hyper {
    Hyper {
        shape,
        log_lengths: vec![-0.9, -0.2, 0.1],
        log_signal: 0.2,
        log_main_lengths: vec![-1.4, -0.6, 0.3],
        log_main: -0.3,
        log_noise: -2.5,
        tasks: Vec::new(),
        bends: Bends::default(),
    }
}

fn points(n: u32, seed: u64) -> Vec<Point> {
    (0..n)
        .map(|i| {
            let u = design::sobol(i, 3, seed);
            vec![u[0], u[1], (u[2] * 3.0).floor()]
        })
        .collect()
}

fn matern(r: f64) -> f64 {
    let s = 5f64.sqrt() * r;
    (1.0 + s + s * s / 3.0) * (-s).exp()
}

fn kernel(h: &Hyper, a: &[f64], b: &[f64]) -> f64 {
    let distance = |j: usize| match COLUMNS[j] {
        Column::Number { .. } => (a[j] - b[j]).abs(),
        Column::Nominal { .. } => f64::from(u8::from(a[j] != b[j])),
    };
    let joint = (0..3).map(|j| (distance(j) / h.log_lengths[j].exp()).powi(2)).sum::<f64>().sqrt();
    let main: f64 = (0..3).map(|j| matern(distance(j) / h.log_main_lengths[j].exp())).sum();
    let together = match h.shape {
        Shape::Rough => matern(joint),
        Shape::Smooth => (-0.5 * joint * joint).exp(),
    };
    h.log_signal.exp() * together + h.log_main.exp() / 3.0 * main
}

/// Solves `matrix · x = rhs` with partial pivoting; also `ln |det|`.
fn eliminate(mut matrix: Vec<Vec<f64>>, mut rhs: Vec<f64>) -> (Vec<f64>, f64) {
    let n = rhs.len();
    let mut log_det = 0.0;
    for k in 0..n {
        let pivot = (k..n).max_by(|a, b| matrix[*a][k].abs().total_cmp(&matrix[*b][k].abs())).unwrap();
        matrix.swap(k, pivot);
        rhs.swap(k, pivot);
        log_det += matrix[k][k].abs().ln();
        for i in k + 1..n {
            let factor = matrix[i][k] / matrix[k][k];
            let above = matrix[k].clone();
            matrix[i].iter_mut().zip(above).for_each(|(entry, pivot)| *entry -= factor * pivot);
            rhs[i] -= factor * rhs[k];
        }
    }
    for k in (0..n).rev() {
        let known: f64 = (k + 1..n).map(|j| matrix[k][j] * rhs[j]).sum();
        rhs[k] = (rhs[k] - known) / matrix[k][k];
    }
    (rhs, log_det)
}

/// Mean and covariance of the function at `at`, and the log likelihood with the mean's prior.
fn reference(h: &Hyper, data: &Data, at: &[Point]) -> (Vec<f64>, Vec<Vec<f64>>, f64) {
    let n = data.points.len();
    let matrix: Vec<Vec<f64>> = (0..n)
        .map(|i| {
            (0..n)
                .map(|j| {
                    let noise = if i == j { h.log_noise.exp() / data.repeats[i] } else { 0.0 };
                    kernel(h, &data.points[i], &data.points[j]) + noise
                })
                .collect()
        })
        .collect();
    let (ones, _) = eliminate(matrix.clone(), vec![1.0; n]);
    let (weights, log_det) = eliminate(matrix.clone(), data.values.clone());
    let mean = weights.iter().sum::<f64>() / (ones.iter().sum::<f64>() + 1.0);
    let residual: Vec<f64> = data.values.iter().map(|y| y - mean).collect();
    let (alpha, _) = eliminate(matrix.clone(), residual.clone());
    let quadratic: f64 = residual.iter().zip(&alpha).map(|(r, a)| r * a).sum();
    let likelihood = -0.5 * quadratic
        - 0.5 * log_det
        - 0.5 * n as f64 * (2.0 * std::f64::consts::PI).ln()
        - 0.5 * mean * mean;
    let cross: Vec<Vec<f64>> =
        at.iter().map(|x| data.points.iter().map(|p| kernel(h, x, p)).collect()).collect();
    let solved: Vec<Vec<f64>> = cross.iter().map(|k| eliminate(matrix.clone(), k.clone()).0).collect();
    let means = cross.iter().map(|k| mean + k.iter().zip(&alpha).map(|(k, a)| k * a).sum::<f64>()).collect();
    let covariance = (0..at.len())
        .map(|a| {
            (0..at.len())
                .map(|b| {
                    let explained: f64 = cross[a].iter().zip(&solved[b]).map(|(k, s)| k * s).sum();
                    kernel(h, &at[a], &at[b]) - explained
                })
                .collect()
        })
        .collect();
    (means, covariance, likelihood)
}

/// Lower triangular root of a covariance.
fn root(covariance: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let n = covariance.len();
    let mut l = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| l[i][k] * l[j][k]).sum();
            let left = covariance[i][j] - known;
            l[i][j] = if i == j { left.max(1e-12).sqrt() } else { left / l[j][j] };
        }
    }
    l
}

/// A draw of normal numbers with that root.
fn draw(mean: &[f64], root: &[Vec<f64>], rng: &mut rand_xoshiro::Xoshiro256PlusPlus) -> Vec<f64> {
    let z: Vec<f64> = mean.iter().map(|_| design::normal(rng)).collect();
    (0..mean.len()).map(|i| mean[i] + (0..=i).map(|k| root[i][k] * z[k]).sum::<f64>()).collect()
}

fn data(n: u32) -> Data {
    let points = points(n, 3);
    let mut rng = design::generator(4);
    let values = points
        .iter()
        .map(|p| (7.0 * p[0]).sin() - p[1] + 0.4 * p[2] + 0.3 * design::normal(&mut rng))
        .collect();
    Data { points, values, repeats: (0..n).map(|i| f64::from(1 + i % 3)).collect(), ..Data::default() }
}

#[test]
fn posterior_and_likelihood_match_plain_elimination() {
    let data = data(40);
    let at = points(25, 99);
    for hyper in SHAPES.map(hyper) {
        let (means, covariance, likelihood) = reference(&hyper, &data, &at);
        let gp = Gp::new(&COLUMNS, &hyper, &data).unwrap();
        assert!((gp.log_likelihood() - likelihood).abs() < 1e-9 * likelihood.abs());
        for (i, posterior) in gp.predict_all(&at).into_iter().enumerate() {
            assert!((posterior.mean - means[i]).abs() < 1e-9, "{posterior:?} {}", means[i]);
            assert!(
                (posterior.variance - covariance[i][i]).abs() < 1e-9,
                "{posterior:?} {}",
                covariance[i][i]
            );
        }
    }
}

#[test]
fn densities_of_left_out_results_are_those_of_models_without_them() {
    let data = data(12);
    for hyper in SHAPES.map(hyper) {
        let gp = Gp::new(&COLUMNS, &hyper, &data).unwrap();
        for (i, density) in gp.left_out_log_densities().into_iter().enumerate() {
            let without = |values: &[f64]| {
                values.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, v)| *v).collect::<Vec<f64>>()
            };
            let rest = Data {
                points: (0..12).filter(|j| *j != i).map(|j| data.points[j].clone()).collect(),
                values: without(&data.values),
                repeats: without(&data.repeats),
                ..Data::default()
            };
            let (means, covariance, _) = reference(&hyper, &rest, std::slice::from_ref(&data.points[i]));
            let variance = covariance[0][0] + hyper.log_noise.exp() / data.repeats[i];
            let z = (data.values[i] - means[0]) / variance.sqrt();
            let expected = -0.5 * z * z - 0.5 * (std::f64::consts::TAU * variance).ln();
            // the constant mean is that of all results here, and of the others there
            assert!((density - expected).abs() < 0.1, "{density} {expected}");
        }
    }
}

#[test]
fn noisy_expected_improvement_matches_plain_monte_carlo() {
    let data = data(14);
    let gps = SHAPES.map(|shape| Gp::new(&COLUMNS, &hyper(shape), &data).unwrap());
    let (observed, pending) = ([2, 5, 6, 9, 11], vec![vec![0.4, 0.8, 1.0], vec![0.9, 0.95, 0.0]]);
    for x in points(4, 21) {
        let mut at: Vec<Point> = observed.iter().map(|i| data.points[*i].clone()).collect();
        at.extend(pending.clone());
        at.push(x.clone());
        let mut rng = design::generator(8);
        let n = 40_000;
        // half of the functions are of each shape
        let improvements: Vec<f64> = SHAPES
            .into_iter()
            .flat_map(|shape| {
                let (means, covariance, _) = reference(&hyper(shape), &data, &at);
                let root = root(&covariance);
                (0..n / 2)
                    .map(|_| {
                        let f = draw(&means, &root, &mut rng);
                        let best = f[..f.len() - 1].iter().copied().fold(f64::INFINITY, f64::min);
                        (best - f[f.len() - 1]).max(0.0)
                    })
                    .collect::<Vec<f64>>()
            })
            .collect();
        let expected = improvements.iter().sum::<f64>() / f64::from(n);
        let spread = improvements.iter().map(|i| (i - expected).powi(2)).sum::<f64>() / f64::from(n);
        let half = |gp| {
            let draws: Arc<dyn Term> = Arc::new(Draws::new(gp, &observed, &pending, 1024, 5).unwrap());
            Weighted { of: draws, weight: 0.5 }
        };
        let improvements = gps.iter().map(half).collect();
        let acquisition = Acquisition { objective: gps[0].clone(), improvements, terms: Vec::new() };
        let ours = acquisition.scores(std::slice::from_ref(&x))[0].exp();
        let tolerance = 5.0 * (spread / f64::from(n)).sqrt() + 0.03 * expected;
        assert!((ours - expected).abs() < tolerance, "{ours} {expected} ± {tolerance}");
    }
}

#[test]
fn intervals_cover_as_often_as_they_say() {
    let (mut inside, mut all) = (0u32, 0u32);
    let hyper = hyper(Shape::Rough);
    for seed in 0..30 {
        let at = points(60, seed);
        let prior: Vec<Vec<f64>> =
            at.iter().map(|a| at.iter().map(|b| kernel(&hyper, a, b)).collect()).collect();
        let mut rng = design::generator(seed);
        let mean = design::normal(&mut rng);
        let f = draw(&vec![mean; at.len()], &root(&prior), &mut rng);
        let noise = (0.5 * hyper.log_noise).exp();
        let values = f[..30].iter().map(|f| f + noise * design::normal(&mut rng)).collect();
        let data = Data { points: at[..30].to_vec(), values, repeats: vec![1.0; 30], ..Data::default() };
        let gp = Gp::new(&COLUMNS, &hyper, &data).unwrap();
        for (x, truth) in at[30..].iter().zip(&f[30..]) {
            let posterior = gp.predict(x);
            // 90 % of a normal distribution
            inside += u32::from((posterior.mean - truth).abs() < 1.645 * posterior.variance.sqrt());
            all += 1;
        }
    }
    let share = f64::from(inside) / f64::from(all);
    assert!((0.86..0.94).contains(&share), "{share}");
}
