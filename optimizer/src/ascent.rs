//! Local maximisation within the unit cube.

/// Pairs of differences remembered.
const MEMORY: usize = 6;
/// Sufficient increase (Armijo).
const SUFFICIENT: f64 = 1e-4;

/// Climbs from `start` along the `free` coordinates, each kept within `[0, 1]`: projected L-BFGS. Coordinates at a bound
/// whose gradient points outwards are held (Bertsekas 1982); the rest take a quasi-Newton step by the two-loop recursion
/// (Nocedal 1980), shortened until the value increases enough. The result is never worse than `start`.
///
/// argmin's L-BFGS knows no bounds, and the best proposal is often at one.
pub fn ascend(
    start: &[f64],
    free: &[usize],
    iterations: usize,
    mut value_and_gradient: impl FnMut(&[f64]) -> (f64, Vec<f64>),
) -> (Vec<f64>, f64) {
    let mut x = start.to_vec();
    let (mut value, mut gradient) = value_and_gradient(&x);
    let mut pairs: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
    for _ in 0..iterations {
        let held = |j: usize| (x[j] <= 0.0 && gradient[j] < 0.0) || (x[j] >= 1.0 && gradient[j] > 0.0);
        let moving: Vec<usize> = free.iter().copied().filter(|j| !held(*j)).collect();
        let steepest = moving.iter().map(|j| gradient[*j].abs()).fold(0.0, f64::max);
        if steepest.is_nan() || steepest < 1e-6 {
            break;
        }
        let mut direction = quasi_newton(&moving, &gradient, &pairs);
        if moving.iter().map(|j| direction[*j] * gradient[*j]).sum::<f64>() <= 0.0 {
            direction.clone_from(&gradient);
            pairs.clear();
        }
        // a tenth of the cube at first, a third at most
        let longest = moving.iter().map(|j| direction[*j].abs()).fold(0.0, f64::max);
        let limit = if pairs.is_empty() { 0.1 } else { 0.34 };
        let mut step = if pairs.is_empty() { limit / longest } else { (limit / longest).min(1.0) };
        let mut next = None;
        for _ in 0..12 {
            let mut candidate = x.clone();
            for &j in &moving {
                candidate[j] = (x[j] + step * direction[j]).clamp(0.0, 1.0);
            }
            let gain: f64 = moving.iter().map(|j| gradient[*j] * (candidate[*j] - x[*j])).sum();
            let (v, g) = value_and_gradient(&candidate);
            if v.is_finite() && v >= value + SUFFICIENT * gain && v > value {
                next = Some((candidate, v, g));
                break;
            }
            step *= 0.35;
        }
        let Some((candidate, v, g)) = next else { break };
        let s: Vec<f64> = candidate.iter().zip(&x).map(|(a, b)| a - b).collect();
        // of the negated function, whose minimum is sought
        let y: Vec<f64> = gradient.iter().zip(&g).map(|(a, b)| a - b).collect();
        if dot(&s, &y) > 1e-12 {
            pairs.push((s, y));
            if pairs.len() > MEMORY {
                pairs.remove(0);
            }
        }
        let gain = v - value;
        (x, value, gradient) = (candidate, v, g);
        if gain < 1e-7 {
            break;
        }
    }
    (x, value)
}

/// The inverse-Hessian product of the remembered pairs with the gradient, over the moving coordinates.
fn quasi_newton(moving: &[usize], gradient: &[f64], pairs: &[(Vec<f64>, Vec<f64>)]) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| moving.iter().map(|j| a[*j] * b[*j]).sum::<f64>();
    let mut q = vec![0.0; gradient.len()];
    for &j in moving {
        q[j] = gradient[j];
    }
    let mut alphas = vec![0.0; pairs.len()];
    for (i, (s, y)) in pairs.iter().enumerate().rev() {
        let sy = dot(s, y);
        if sy > 1e-14 {
            alphas[i] = dot(s, &q) / sy;
            moving.iter().for_each(|j| q[*j] -= alphas[i] * y[*j]);
        }
    }
    if let Some((s, y)) = pairs.last() {
        let yy = dot(y, y);
        if yy > 0.0 {
            let scale = (dot(s, y) / yy).max(1e-12);
            moving.iter().for_each(|j| q[*j] *= scale);
        }
    }
    for (i, (s, y)) in pairs.iter().enumerate() {
        let sy = dot(s, y);
        if sy > 1e-14 {
            let beta = dot(y, &q) / sy;
            moving.iter().for_each(|j| q[*j] += s[*j] * (alphas[i] - beta));
        }
    }
    q
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_an_interior_and_a_bounded_maximum_of_a_badly_scaled_quadratic() {
        let centre = [0.3, 0.8, 1.7];
        let weight = [1.0, 100.0, 10.0];
        let (x, _) = ascend(&[0.9, 0.1, 0.2], &[0, 1, 2], 60, |x| {
            let value = -(0..3).map(|j| weight[j] * (x[j] - centre[j]).powi(2)).sum::<f64>();
            (value, (0..3).map(|j| -2.0 * weight[j] * (x[j] - centre[j])).collect())
        });
        assert!((x[0] - 0.3).abs() < 1e-2 && (x[1] - 0.8).abs() < 1e-3 && x[2] == 1.0, "{x:?}");
    }

    #[test]
    fn leaves_other_coordinates_and_never_gets_worse() {
        let (x, value) = ascend(&[0.5, 0.5], &[1], 20, |x| {
            (x[0] + (9.0 * x[1]).sin(), vec![1.0, 9.0 * (9.0 * x[1]).cos()])
        });
        assert_eq!(x[0], 0.5);
        assert!(value >= 0.5 + 4.5f64.sin());
    }
}
