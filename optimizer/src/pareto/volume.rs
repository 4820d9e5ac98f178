//! The volume that fronts dominate. Smaller is better in every value.

use autoopt_epoch::front::{Values, front, range};

/// A point that bounds the volume that counts: beyond the worst value that the front has in each goal by a tenth of the front's
/// range there, so that the ends of the front count as well, but not above all else (Ishibuchi, Imada, Setoguchi, Nojima 2018
/// on how the choice weighs the ends). Where the front has no range, by a tenth of `spread`, the range of all points.
pub fn reference(front: &[Values], spread: &[f64]) -> Values {
    (0..spread.len())
        .map(|m| {
            let (low, high) = range(front.iter().map(|v| v[m]));
            let beyond = if high > low { high - low } else { spread[m] };
            high + 0.1 * beyond.max(f64::MIN_POSITIVE)
        })
        .collect()
}

/// The volume between `points` and `reference`: in two dimensions by a sweep, in more by adding what each point alone adds to those
/// after it (While, Bradstreet, Barone 2012).
pub fn volume(points: &[Values], reference: &[f64]) -> f64 {
    let mut inside: Vec<Values> =
        points.iter().filter(|p| p.iter().zip(reference).all(|(x, r)| x < r)).cloned().collect();
    inside.sort_by(|a, b| a[0].total_cmp(&b[0]));
    if reference.len() == 2 {
        let mut lowest = reference[1];
        return inside
            .iter()
            .map(|p| {
                let height = (lowest - p[1]).max(0.0);
                lowest = lowest.min(p[1]);
                height * (reference[0] - p[0])
            })
            .sum();
    }
    (0..inside.len()).map(|i| added(&inside[i], &inside[i + 1..], reference)).sum()
}

/// How much larger the volume of `points` is with `point` among them.
pub fn added(point: &[f64], points: &[Values], reference: &[f64]) -> f64 {
    let box_of: f64 = point.iter().zip(reference).map(|(x, r)| (r - x).max(0.0)).product();
    if box_of <= 0.0 || points.iter().any(|p| p.iter().zip(point).all(|(a, b)| a <= b)) {
        return 0.0;
    }
    // the part of every other point's box that lies in this one's
    let limited: Vec<Values> =
        points.iter().map(|p| p.iter().zip(point).map(|(a, b)| a.max(*b)).collect()).collect();
    let kept: Vec<Values> = front(&limited).into_iter().map(|i| limited[i].clone()).collect();
    (box_of - volume(&kept, reference)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design;

    /// By counting the cells of a grid that holds all coordinates.
    fn counted(points: &[Values], n: usize, dimensions: u32) -> f64 {
        let cells = n.pow(dimensions);
        let inside = (0..cells).filter(|rank| {
            let at: Vec<f64> = (0..dimensions).map(|d| ((rank / n.pow(d)) % n) as f64 / n as f64).collect();
            points.iter().any(|p| p.iter().zip(&at).all(|(x, a)| x <= a))
        });
        inside.count() as f64 / cells as f64
    }

    #[test]
    fn volumes_are_those_of_counted_cells() {
        for dimensions in [2, 3, 4] {
            let points: Vec<Values> = (0..9)
                .map(|i| {
                    let x = design::sobol(i, dimensions as usize, 4);
                    x.into_iter().map(|u| (u * 8.0).floor() / 8.0).collect()
                })
                .collect();
            let reference = vec![1.0; dimensions as usize];
            let whole = volume(&points, &reference);
            assert!((whole - counted(&points, 8, dimensions)).abs() < 1e-12, "{dimensions}");
            let (one, others) = points.split_first().unwrap();
            let without = volume(others, &reference);
            assert!((added(one, others, &reference) - (whole - without)).abs() < 1e-12, "{dimensions}");
        }
    }

    #[test]
    fn the_volume_that_counts_is_bounded_a_little_beyond_the_front() {
        let best: Vec<Values> = [[1.0, 5.0], [2.0, 2.0], [5.0, 1.0]].map(Vec::from).to_vec();
        assert_eq!(reference(&best, &[4.0, 5.0]), [5.4, 5.4]);
        assert_eq!(reference(&best[..1], &[4.0, 5.0]), [1.4, 5.5]);
    }
}
