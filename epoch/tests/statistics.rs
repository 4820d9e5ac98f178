//! What is claimed holds as often as it says: intervals and verdicts over many simulated experiments.

use std::collections::BTreeMap;

use autoopt_epoch::message::Goal;
use autoopt_epoch::statistics::{
    Claim, Pair, Pairs, Precision, Run, Scale, Verdict, all_shown, claim, drift, level_of_each, pairs_wanted,
    told_of,
};
use autoopt_epoch::time::Timestamp;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// How the runs of a simulated cluster vary; each number is a part of the value.
#[derive(Clone, Copy, Debug)]
struct Weather {
    noise: f64,
    /// Student's t with three degrees of freedom instead of a normal distribution: now and then a run is far off.
    heavy: bool,
    /// From one run to the next.
    drift: f64,
}

const CALM: Weather = Weather { noise: 0.08, heavy: false, drift: 0.0 };
const STORMS: [Weather; 4] = [
    CALM,
    Weather { heavy: true, ..CALM },
    Weather { drift: -0.01, ..CALM },
    Weather { heavy: true, drift: 0.02, ..CALM },
];

struct Cluster {
    rng: Xoshiro256PlusPlus,
    weather: Weather,
    runs: u32,
}

impl Cluster {
    fn new(seed: u64, weather: Weather) -> Self {
        Self { rng: Xoshiro256PlusPlus::seed_from_u64(seed), weather, runs: 0 }
    }

    /// Box and Muller (1958).
    fn normal(&mut self) -> f64 {
        let (u, v): (f64, f64) = (1.0 - self.rng.random::<f64>(), self.rng.random());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    fn run(&mut self, value: f64) -> f64 {
        self.runs += 1;
        let mut error = self.normal();
        if self.weather.heavy {
            let chi: f64 = (0..3).map(|_| self.normal().powi(2)).sum();
            error /= (chi / 3.0).sqrt();
        }
        value * (self.weather.noise * error + self.weather.drift * f64::from(self.runs)).exp()
    }

    /// `ratio` is the true one. Of two pairs one begins with the baseline.
    fn pairs(&mut self, count: usize, ratio: f64) -> Vec<Pair> {
        let mut baseline_first = false;
        let mut pair = |n: usize| {
            baseline_first = if n.is_multiple_of(2) { self.rng.random() } else { !baseline_first };
            let (mut baseline, mut recommended) = (0.0, 0.0);
            for half in [baseline_first, !baseline_first] {
                match half {
                    true => baseline = self.run(50.0),
                    false => recommended = self.run(50.0 * ratio),
                }
            }
            Pair { baseline, recommended }
        };
        (0..count).map(&mut pair).collect()
    }
}

fn one(all: Vec<Pair>) -> BTreeMap<String, Pairs> {
    let first = all.len();
    [("c".to_owned(), Pairs { all, first })].into()
}

fn of(all: Vec<Pair>) -> Claim {
    claim(Goal::Maximize, 0.95, &one(all)).expect("two pairs or more")
}

/// Of `n` simulated experiments the part in which `holds`; and its standard error if the truth were `nominal`.
fn rate(n: u64, nominal: f64, holds: impl Fn(u64) -> bool) -> (f64, f64) {
    let count = (0..n).filter(|seed| holds(*seed)).count();
    (count as f64 / n as f64, (nominal * (1.0 - nominal) / n as f64).sqrt())
}

#[test]
fn of_a_thousand_experiments_without_a_gain_no_more_than_the_nominal_rate_claim_one() {
    for weather in STORMS {
        for pairs in [4, 6, 12] {
            let claims = |seed| of(Cluster::new(seed, weather).pairs(pairs, 1.0)).verdict == Verdict::Shown;
            let (rate, error) = rate(1000, 0.025, claims);
            assert!(rate <= 0.025 + 3.0 * error, "{weather:?}, {pairs} pairs: {rate}");
        }
    }
}

#[test]
fn the_interval_covers_a_true_gain_at_its_nominal_rate() {
    for weather in STORMS {
        for (pairs, level) in [(4, 0.95), (6, 0.95), (12, 0.8)] {
            let covers = |seed| {
                let all = Cluster::new(seed, weather).pairs(pairs, 1.1);
                let claim = claim(Goal::Maximize, level, &one(all)).unwrap();
                claim.low <= 0.1 && 0.1 <= claim.high
            };
            let (rate, error) = rate(1000, level, covers);
            assert!(rate >= level - 3.0 * error, "{weather:?}, {pairs} pairs: {rate}");
            // and with nothing but normal noise it is no wider than it has to be
            if weather.drift == 0.0 && !weather.heavy {
                assert!(rate <= level + 3.0 * error, "{weather:?}, {pairs} pairs: {rate}");
            }
        }
    }
}

#[test]
fn the_intervals_of_several_objectives_hold_together_at_the_level_of_all() {
    let claims = |seed: u64, ratio, level| -> Vec<Claim> {
        let of =
            |i| claim(Goal::Maximize, level, &one(Cluster::new(3 * seed + i, CALM).pairs(6, ratio))).unwrap();
        (0..3).map(of).collect()
    };
    let each = level_of_each(0.95, 3);
    assert!((each - 0.983_333).abs() < 1e-6 && level_of_each(0.95, 1) == 0.95);
    let cover = |seed, level| claims(seed, 1.1, level).iter().all(|c| c.low <= 0.1 && 0.1 <= c.high);
    let (together, error) = rate(1000, 0.95, |seed| cover(seed, each));
    assert!((together - 0.95).abs() <= 3.0 * error, "{together}");
    let (apart, _) = rate(1000, 0.95, |seed| cover(seed, 0.95));
    assert!(apart < 0.95 - 3.0 * error, "intervals of 95 % each do not: {apart}");
    let (shown, error) =
        rate(1000, 0.025, |seed| claims(seed, 1.0, each).iter().any(|c| c.verdict == Verdict::Shown));
    assert!(shown <= 0.025 + 3.0 * error, "{shown}");
}

#[test]
fn all_is_shown_only_where_each_objective_is() {
    let of = |ratio| claim(Goal::Maximize, 0.975, &one(Cluster::new(1, CALM).pairs(6, ratio))).unwrap();
    let (better, worse) = (of(2.0), of(0.5));
    assert!(all_shown(Some(&better), &[]));
    assert!(all_shown(Some(&better), std::slice::from_ref(&better)));
    assert!(!all_shown(Some(&better), &[better.clone(), worse.clone()]));
    assert!(!all_shown(Some(&worse), std::slice::from_ref(&better)));
    assert!(!all_shown(None, std::slice::from_ref(&better)), "nothing is claimed of the first");
}

#[test]
fn an_objective_that_was_given_up_for_another_is_told_to_be_worse() {
    let told = |ratio, counts| {
        let all = Cluster::new(1, Weather { noise: 1e-9, ..CALM }).pairs(4, ratio);
        told_of(&claim(Goal::Minimize, 0.975, &one(all)).unwrap(), "latency", Some("ms"), counts)
    };
    assert_eq!(told(0.8, true), "gain in latency +20.0 % [20.0, 20.0], shown to be better");
    assert_eq!(told(1.2, true), "gain in latency -20.0 % [-20.0, -20.0], shown to be worse");
    assert_eq!(told(1.2, false), "gain in latency -20.0 % [-20.0, -20.0], not shown to be better");
}

#[test]
fn a_number_of_pairs_that_follows_from_the_noise_keeps_level_and_precision() {
    let precision = Precision { half_width: 0.06, level: 0.95, clusters: 1 };
    for weather in STORMS {
        let planned = |seed, ratio| {
            let mut cluster = Cluster::new(seed, weather);
            let mut all = cluster.pairs(6, ratio);
            let more = pairs_wanted(&all, precision) - 6;
            all.extend(cluster.pairs(more, ratio));
            let pairs = [("c".to_owned(), Pairs { all, first: 6 })].into();
            claim(Goal::Maximize, 0.95, &pairs).unwrap()
        };
        let (claimed, error) = rate(1000, 0.025, |seed| planned(seed, 1.0).verdict == Verdict::Shown);
        assert!(claimed <= 0.025 + 3.0 * error, "{weather:?}: {claimed}");
        let covers = |seed| {
            let claim = planned(seed, 1.1);
            claim.low <= 0.1 && 0.1 <= claim.high
        };
        let (covered, error) = rate(1000, 0.95, covers);
        assert!(covered >= 0.95 - 3.0 * error, "{weather:?}: {covered}");
        for seed in 0..50 {
            let claim = planned(seed, 1.1);
            let half = ((1.0 + claim.high) / (1.0 + claim.low)).ln() / 2.0;
            assert!(half <= 0.06_f64.ln_1p() + 1e-9, "{weather:?}: {half}");
        }
    }
}

#[test]
fn clusters_that_differ_count_the_same_and_the_interval_covers_their_mean_gain() {
    let covers = |seed| {
        let mut pairs = BTreeMap::new();
        for (n, (noise, ratio, count)) in
            [(0.02, 1.05, 5), (0.15, 1.2, 8), (0.06, 0.98, 6)].into_iter().enumerate()
        {
            let weather = Weather { noise, ..CALM };
            let all = Cluster::new(seed * 3 + n as u64, weather).pairs(count, ratio);
            pairs.insert(n.to_string(), Pairs { first: all.len(), all });
        }
        let claim = claim(Goal::Maximize, 0.95, &pairs).unwrap();
        let truth = (1.05_f64 * 1.2 * 0.98).cbrt() - 1.0;
        claim.low <= truth && truth <= claim.high
    };
    let (rate, error) = rate(1000, 0.95, covers);
    assert!((rate - 0.95).abs() <= 3.0 * error, "{rate}");
}

#[test]
fn a_claim_is_the_paired_t_test() {
    // differences 1, 3, 2, 4, 5: mean 3, standard deviation 1.5811, t(4) at 95 % is 2.7764
    let pair = |d: f64| Pair { baseline: 0.0, recommended: d };
    let claim = of([1.0, 3.0, 2.0, 4.0, 5.0].map(pair).to_vec());
    assert_eq!((claim.scale, claim.verdict, claim.pairs), (Scale::Difference, Verdict::Shown, 5));
    for (got, expected) in [(claim.gain, 3.0), (claim.low, 1.0368), (claim.high, 4.9632), (claim.p, 0.0132)] {
        assert!((got - expected).abs() < 1e-4, "{claim:?}");
    }
}

#[test]
fn twenty_percent_less_is_twenty_percent_better_where_less_is_better() {
    let all = [79.0, 80.0, 81.0].map(|r| Pair { baseline: 100.0, recommended: r }).to_vec();
    let claim = claim(Goal::Minimize, 0.95, &one(all)).unwrap();
    assert!(
        (claim.gain - 0.2).abs() < 1e-3 && claim.low < claim.gain && claim.gain < claim.high,
        "{claim:?}"
    );
    assert_eq!((claim.scale, claim.verdict), (Scale::Ratio, Verdict::Shown));
}

#[test]
fn one_pair_shows_nothing() {
    let pair = Pair { baseline: 1.0, recommended: 2.0 };
    assert_eq!(claim(Goal::Maximize, 0.95, &one(vec![pair])), None);
    assert_eq!(claim(Goal::Maximize, 0.95, &BTreeMap::new()), None);
}

#[test]
fn without_noise_a_difference_is_certain_and_equality_is_no_gain() {
    let better = of(vec![Pair { baseline: 50.0, recommended: 60.0 }; 3]);
    assert_eq!((better.verdict, better.low, better.high), (Verdict::Shown, better.gain, better.gain));
    let same = of(vec![Pair { baseline: 50.0, recommended: 50.0 }; 3]);
    assert_eq!((same.verdict, same.gain, same.p), (Verdict::NotShown, 0.0, 1.0));
}

#[test]
fn a_trend_is_found_where_there_is_one_and_seldom_where_there_is_none() {
    let found = |seed, weather| {
        let mut cluster = Cluster::new(seed, weather);
        let run = |n: i64| Run {
            at: Timestamp::from_millis(n * 600_000 + n % 3 * 1000),
            objective: cluster.run(50.0),
            others: Vec::new(),
        };
        drift(0.95, &(0..12).map(run).collect::<Vec<_>>()).unwrap().found
    };
    for heavy in [false, true] {
        let (false_alarms, error) = rate(1000, 0.05, |seed| found(seed, Weather { heavy, ..CALM }));
        assert!(false_alarms <= 0.05 + 3.0 * error, "{false_alarms}");
    }
    let (seen, _) = rate(1000, 0.9, |seed| found(seed, Weather { drift: 0.03, ..CALM }));
    assert!(seen > 0.9, "{seen}");
}

#[test]
fn a_trend_is_told_as_the_change_over_the_whole() {
    let runs: Vec<Run> = (0..5)
        .map(|n| Run {
            at: Timestamp::from_millis(n * 1_800_000),
            objective: 100.0 * 0.9_f64.powi(n as i32),
            others: Vec::new(),
        })
        .collect();
    let told = drift(0.95, &runs).unwrap();
    assert!((told.change - (0.9_f64.powi(4) - 1.0)).abs() < 1e-9 && told.found, "{told:?}");
    assert!((told.hours - 2.0).abs() < 1e-9);
    assert_eq!(drift(0.95, &runs[..3]), None);
}

fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    let pair =
        (0.1_f64..1e4, 0.1_f64..1e4).prop_map(|(baseline, recommended)| Pair { baseline, recommended });
    prop::collection::vec(pair, 2..20)
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-8 * (1.0 + a.abs().max(b.abs()))
}

proptest! {
    #[test]
    fn what_both_runs_of_a_pair_share_does_not_matter(all in pairs(), factors in prop::collection::vec(0.01_f64..100.0, 20)) {
        let shared: Vec<Pair> = all
            .iter()
            .zip(factors)
            .map(|(p, f)| Pair { baseline: p.baseline * f, recommended: p.recommended * f })
            .collect();
        let (a, b) = (of(all), of(shared));
        prop_assert!(near(a.gain, b.gain) && near(a.low, b.low) && near(a.high, b.high), "{a:?} {b:?}");
    }

    #[test]
    fn the_two_exchanged_the_ratio_is_turned_over(all in pairs()) {
        let turned = all.iter().map(|p| Pair { baseline: p.recommended, recommended: p.baseline }).collect();
        let (a, b) = (of(all), of(turned));
        prop_assert!(near((1.0 + a.gain) * (1.0 + b.gain), 1.0), "{a:?} {b:?}");
        // looked at from above: 1 + low has no digits left where an interval goes down to almost nothing of the baseline
        prop_assert!(near(1.0 / (1.0 + b.high), 1.0 + a.low), "{a:?} {b:?}");
        prop_assert!(a.low <= a.gain && a.gain <= a.high);
    }

    #[test]
    fn a_surer_interval_holds_the_other_and_the_verdict_is_its_lower_end(all in pairs(), minimize: bool) {
        let goal = if minimize { Goal::Minimize } else { Goal::Maximize };
        let (wide, narrow) = (claim(goal, 0.99, &one(all.clone())).unwrap(), claim(goal, 0.8, &one(all)).unwrap());
        prop_assert!(wide.low <= narrow.low && narrow.high <= wide.high, "{wide:?} {narrow:?}");
        prop_assert_eq!(wide.verdict == Verdict::Shown, wide.low > 0.0);
        // the p value says the same: it is below what the level leaves just when the interval leaves 0 out
        prop_assert_eq!(wide.p < 0.01 - 1e-9, wide.low > 1e-9 || wide.high < -1e-9, "{:?}", wide);
    }

    #[test]
    fn more_noise_or_more_precision_takes_no_fewer_pairs(all in pairs(), finer in 0.1_f64..1.0) {
        let precision = |half_width| Precision { half_width, level: 0.95, clusters: 1 };
        let (coarse, fine) = (pairs_wanted(&all, precision(0.1)), pairs_wanted(&all, precision(0.1 * finer)));
        prop_assert!(all.len() <= coarse && coarse <= fine);
        let louder: Vec<Pair> = all
            .iter()
            .map(|p| Pair { baseline: p.baseline, recommended: p.baseline * (p.recommended / p.baseline).powi(2) })
            .collect();
        prop_assert!(coarse <= pairs_wanted(&louder, precision(0.1)));
        let two = Precision { clusters: 2, ..precision(0.1) };
        prop_assert!(pairs_wanted(&all, two) <= coarse);
    }
}
