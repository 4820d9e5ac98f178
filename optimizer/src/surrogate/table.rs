//! Points by column, to be compared with one point after another.

use super::lanes::{LANES, Lanes, decay, grouped, lanes};

/// Exponents of factors are within ± this, so that no product of two overflows.
const LARGEST: f64 = 300.0;

/// Points by column.
#[derive(Clone, Debug)]
pub struct Table {
    pub columns: Vec<Numbers>,
    pub rows: usize,
    /// What a covariance with each row is multiplied by; empty for 1.
    pub factors: Vec<f64>,
}

/// The numbers of one column, and what the exponentials of their distances at one rate are made of.
///
/// `exp(−rate |x − x'|)` is the lesser of two products, of `exp(rate x)` and `exp(−rate x')` and the other way round: as many exponentials as numbers
/// instead of pairs. A nominal column has whole numbers, whose distances are cut off at 1.
#[derive(Clone, Debug)]
pub struct Numbers {
    groups: Vec<Group>,
    rate: f64,
    /// Of a distance, and its exponential.
    most: f64,
    least_decay: f64,
    /// Whether no product overflows.
    products: bool,
}

/// Eight of them.
#[derive(Clone, Copy, Debug)]
struct Group {
    numbers: Lanes,
    /// `exp(rate (x − ½))`
    rises: Lanes,
    /// Its inverse.
    falls: Lanes,
}

/// A number that others are compared with.
#[derive(Clone, Copy, Debug)]
pub struct Other {
    number: f64,
    rise: f64,
    fall: f64,
}

impl Numbers {
    /// Of a column, compared at this rate.
    #[inline(always)]
    pub fn new(nominal: bool, rate: f64, numbers: &[f64]) -> Self {
        let mut groups = Vec::with_capacity(numbers.len().div_ceil(LANES));
        for numbers in grouped(numbers, 0.5) {
            let (rises, falls) = factors(&[rate; LANES], &numbers);
            groups.push(Group { numbers, rises, falls });
        }
        let (most, least_decay) = if nominal { (1.0, decay(rate)) } else { (f64::INFINITY, 0.0) };
        let products = numbers.iter().all(|x| within(rate, *x));
        Self { groups, rate, most, least_decay, products }
    }

    /// That of a row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> Other {
        let Group { numbers, rises, falls } = &self.groups[row / LANES];
        let i = row % LANES;
        Other { number: numbers[i], rise: rises[i], fall: falls[i] }
    }

    /// `|Δ|` between `other` and each of a group.
    #[inline(always)]
    pub fn distances(&self, other: &Other, group: usize) -> Lanes {
        let numbers = &self.groups[group].numbers;
        lanes(|i| lesser((other.number - numbers[i]).abs(), self.most))
    }

    /// `x' − x` between `other`, `x'`, and each of a group, of a column that is not nominal.
    #[inline(always)]
    pub fn differences(&self, other: &Other, group: usize) -> Lanes {
        let numbers = &self.groups[group].numbers;
        lanes(|i| other.number - numbers[i])
    }

    /// `rate |Δ|` of their `distances`.
    #[inline(always)]
    pub fn scaled(&self, distances: &Lanes) -> Lanes {
        lanes(|i| self.rate * distances[i])
    }

    /// `exp(−rate |Δ|)` of their `distances`.
    #[inline(always)]
    pub fn decays<const PRODUCTS: bool>(&self, other: &Other, group: usize, distances: &Lanes) -> Lanes {
        let Group { rises, falls, .. } = &self.groups[group];
        if PRODUCTS {
            lanes(|i| larger(lesser(other.rise * falls[i], other.fall * rises[i]), self.least_decay))
        } else {
            let exponents = self.scaled(distances);
            lanes(|i| decay(exponents[i]))
        }
    }

    /// Whether decays may be made of products between its rows.
    pub fn products(&self) -> bool {
        self.products
    }
}

impl Table {
    /// The same rows, covariances with which are multiplied by `factors`; none of them for 1.
    pub fn times(self, factors: Vec<f64>) -> Self {
        Self { factors, ..self }
    }

    /// How many groups of eight rows there are.
    pub fn groups(&self) -> usize {
        self.rows.div_ceil(LANES)
    }

    /// The numbers of `x`, compared with the rows.
    #[inline(always)]
    pub fn others(&self, x: &[f64]) -> Vec<Other> {
        let mut others = Vec::with_capacity(x.len());
        for (columns, numbers) in self.columns.chunks(LANES).zip(x.chunks(LANES)) {
            let rates = lanes(|i| columns.get(i).map_or(0.0, |c| c.rate));
            let all = lanes(|i| numbers.get(i).copied().unwrap_or(0.5));
            let (rises, falls) = factors(&rates, &all);
            let other =
                |(i, number): (usize, &f64)| Other { number: *number, rise: rises[i], fall: falls[i] };
            others.extend(numbers.iter().enumerate().map(other));
        }
        others
    }

    /// Those of a row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> Vec<Other> {
        self.columns.iter().map(|column| column.row(row)).collect()
    }

    /// Whether decays may be made of products between its rows.
    pub fn products(&self) -> bool {
        self.columns.iter().all(Numbers::products)
    }

    /// The same between its rows and `x`.
    pub fn products_with(&self, x: &[f64]) -> bool {
        self.columns.iter().zip(x).all(|(column, x)| column.products && within(column.rate, *x))
    }
}

/// `exp(rate (x − ½))` and its inverse.
#[inline(always)]
fn factors(rates: &Lanes, x: &Lanes) -> (Lanes, Lanes) {
    let exponents = lanes(|i| rates[i] * (x[i] - 0.5));
    let decays = lanes(|i| decay(exponents[i].abs()));
    let inverses = lanes(|i| 1.0 / decays[i]);
    let choose = |a: &Lanes, b: &Lanes| lanes(|i| if exponents[i] > 0.0 { a[i] } else { b[i] });
    (choose(&inverses, &decays), choose(&decays, &inverses))
}

#[inline(always)]
fn within(rate: f64, x: f64) -> bool {
    rate * (x - 0.5).abs() <= LARGEST
}

/// One instruction, which `f64::min` is not: it has rules for what is no number.
#[inline(always)]
fn lesser(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

#[inline(always)]
fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The decays between `other` and all rows.
    fn decays(column: &Numbers, other: &Other, products: bool) -> Vec<f64> {
        (0..column.groups.len())
            .flat_map(|group| {
                let distances = column.distances(other, group);
                match products {
                    true => column.decays::<true>(other, group, &distances),
                    false => column.decays::<false>(other, group, &distances),
                }
            })
            .collect()
    }

    #[test]
    fn products_are_the_exponentials_of_distances_or_not_to_be_used() {
        let numbers = [0.0, 0.2, 0.7, 0.7, 1.0, 1.5, -3.0, 0.45, 0.5, 1e6];
        for (count, rate, usable) in [
            (5, 0.0, true),
            (9, 1e-9, true),
            (9, 3.0, true),
            (5, 590.0, true),
            (5, 610.0, false),
            (10, 3.0, false),
            (10, 1e300, false),
        ] {
            let columns = vec![Numbers::new(false, rate, &numbers[..count])];
            let table = Table { columns, rows: count, factors: Vec::new() };
            let column = &table.columns[0];
            assert_eq!(table.products(), usable);
            assert!(!table.products_with(&[-1e6]) || rate < 1e-3);
            for (x, other) in [(0.3, table.others(&[0.3])[0]), (0.2, column.row(1))] {
                assert_eq!(table.products_with(&[x]), usable);
                for products in [false, true].into_iter().take(1 + usize::from(usable)) {
                    for (e, number) in decays(column, &other, products).iter().zip(&numbers[..count]) {
                        let exact = f64::exp(-rate * (x - number).abs());
                        assert!(
                            (e - exact).abs() <= 1e-11 * exact + 1e-250,
                            "{rate} {x} {number}: {e} {exact}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn different_values_are_one_apart() {
        let column = Numbers::new(true, 2.0, &[0.0, 3.0, 1.0]);
        let other = column.row(1);
        assert_eq!(column.distances(&other, 0)[..3], [1.0, 0.0, 1.0]);
        for products in [false, true] {
            let decays = decays(&column, &other, products);
            assert!((decays[0] - f64::exp(-2.0)).abs() < 1e-12 && (decays[1] - 1.0).abs() < 1e-12);
        }
    }
}
