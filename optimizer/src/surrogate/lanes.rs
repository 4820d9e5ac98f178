//! Eight numbers at a time, which is what the widest registers hold: loops over them have no remainder.

/// How many.
pub const LANES: usize = 8;
/// So many numbers.
pub type Lanes = [f64; LANES];

/// `f` of every index.
#[inline(always)]
pub fn lanes(f: impl Fn(usize) -> f64) -> Lanes {
    let mut out = [0.0; LANES];
    for (i, o) in out.iter_mut().enumerate() {
        *o = f(i);
    }
    out
}

/// `numbers` in eights, the last filled up with `filling`.
pub fn grouped(numbers: &[f64], filling: f64) -> Vec<Lanes> {
    let group = |some: &[f64]| lanes(|i| some.get(i).copied().unwrap_or(filling));
    numbers.chunks(LANES).map(group).collect()
}

/// Runs loops with the widest registers of the processor. What is computed of each element is the same on every machine.
#[inline(always)]
pub fn wide<T>(loops: impl FnOnce() -> T) -> T {
    pulp::Arch::new().dispatch(loops)
}

/// Eight partial sums, since a single one cannot be vectorised.
#[inline(always)]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (chunks_a, rest_a) = a.as_chunks::<LANES>();
    let (chunks_b, rest_b) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in chunks_a.iter().zip(chunks_b) {
        sums = lanes(|i| sums[i] + a[i] * b[i]);
    }
    let rest: f64 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

/// `exp(−s)` for `s ≥ 0`, to twelve digits; without a branch or a call, so that loops over it are
/// vectorised, and the same on every machine.
#[inline(always)]
pub fn decay(s: f64) -> f64 {
    // adding 1.5·2⁵² rounds to a whole number, which then stands in the low bits
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let x = -s.min(700.0);
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let f = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    // Taylor's series; |f| ≤ ½ ln 2
    let mut p = 1.0 / 3_628_800.0;
    for c in [
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        p = p * f + c;
    }
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    p * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_has_twelve_digits() {
        for s in [0.0, 1e-300, 1e-9, 0.1, 0.346, 0.347, 1.0, 5.5, 37.0, 300.0, 699.0] {
            let exact = f64::exp(-s);
            assert!((decay(s) - exact).abs() <= 1e-12 * exact, "{s}: {} {exact}", decay(s));
        }
        assert!(decay(f64::INFINITY) < 1e-300);
    }

    #[test]
    fn every_number_counts_once() {
        for n in [0u32, 1, 7, 8, 9, 24, 29] {
            let a: Vec<f64> = (0..n).map(f64::from).collect();
            let ones = vec![1.0; n as usize];
            assert_eq!(dot(&a, &ones), a.iter().sum::<f64>());
            let groups = grouped(&a, -1.0);
            assert_eq!(groups.as_flattened()[..n as usize], a);
            assert!(groups.as_flattened()[n as usize..].iter().all(|x| *x == -1.0));
        }
    }
}
