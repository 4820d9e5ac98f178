//! Several objectives: which points no other is better than in everything, and which of them is a compromise. Smaller is better in
//! every value.

/// Values of one point, one for each objective.
pub type Values = Vec<f64>;

/// Whether `a` is as good as `b` in every value.
fn covers(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(x, y)| x <= y)
}

/// Indices of the points that no other dominates (is as good in every value, and better in one), in their order; of equal ones the first.
pub fn front(points: &[Values]) -> Vec<usize> {
    // 0 is added so that both zeros are one
    let first_to_last = |a: &Values, b: &Values| {
        let each = a.iter().zip(b).map(|(x, y)| (x + 0.0).total_cmp(&(y + 0.0)));
        each.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    };
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|a, b| first_to_last(&points[*a], &points[*b]));
    // in this order none is dominated by a later one
    let mut kept: Vec<usize> = Vec::new();
    for i in order {
        if !kept.iter().any(|k| covers(&points[*k], &points[i])) {
            kept.push(i);
        }
    }
    kept.sort_unstable();
    kept
}

/// The smallest and the largest.
pub fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

/// The points of a front by how near they are to the best of every objective, each seen as a part of the front's range; the first is
/// the compromise. Of equally near ones the first comes first.
pub fn by_compromise(front: &[&Values]) -> Vec<usize> {
    let objectives = front.first().map_or(0, |values| values.len());
    let ranges: Vec<(f64, f64)> = (0..objectives).map(|m| range(front.iter().map(|v| v[m]))).collect();
    let distance = |i: usize| -> f64 {
        let part =
            |(x, (low, high)): (&f64, &(f64, f64))| if high > low { (x - low) / (high - low) } else { 0.0 };
        front[i].iter().zip(&ranges).map(part).map(|p| p * p).sum()
    };
    let mut order: Vec<usize> = (0..front.len()).collect();
    order.sort_by(|a, b| distance(*a).total_cmp(&distance(*b)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dominates(a: &[f64], b: &[f64]) -> bool {
        covers(a, b) && a.iter().zip(b).any(|(x, y)| x < y)
    }

    #[test]
    fn a_front_holds_what_nothing_dominates_once() {
        let points: Vec<Values> =
            [[1.0, 5.0], [2.0, 2.0], [2.0, 2.0], [5.0, 1.0], [3.0, 3.0], [1.0, 6.0], [-0.0, 9.0], [0.0, 8.0]]
                .map(Vec::from)
                .to_vec();
        assert_eq!(front(&points), [0, 1, 3, 7]);
        for (i, point) in points.iter().enumerate() {
            let beaten = points.iter().any(|other| dominates(other, point));
            let again = points[..i].contains(point);
            assert_eq!(front(&points).contains(&i), !beaten && !again, "{point:?}");
        }
        assert_eq!(front(&[]), [0; 0]);
    }

    #[test]
    fn the_compromise_gives_away_least_of_each_range_whatever_the_units() {
        for unit in [1.0, 1000.0] {
            let points: Vec<Values> =
                [[0.0, 10.0], [2.0, 3.0], [6.0, 1.0], [10.0, 0.0]].map(|[a, b]| vec![a, b * unit]).to_vec();
            assert_eq!(by_compromise(&points.iter().collect::<Vec<_>>()), [1, 2, 0, 3]);
        }
        let one = vec![3.0, 4.0];
        assert_eq!(by_compromise(&[&one]), [0]);
        assert_eq!(by_compromise(&[]), [0; 0]);
    }
}
