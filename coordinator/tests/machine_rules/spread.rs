//! Which of several free clusters takes the next trial.

use std::collections::BTreeMap;

use autoopt_epoch::message::TrialKind;
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Lab, done, spec};

const CLUSTERS: [&str; 4] = ["a", "b", "c", "d"];

fn lab(clusters: usize, trials: u32, baseline: bool) -> Lab {
    let mut more = json!({"algorithm": {"name": "gp"}, "budget": {"trials": trials}});
    if baseline {
        more["baseline"] = json!({"every": 3});
    }
    Lab::with(&spec("e", &CLUSTERS[..clusters], more))
}

/// How many of the optimizer's trials each cluster has begun.
fn begun(lab: &Lab) -> BTreeMap<&str, usize> {
    let mut begun: BTreeMap<&str, usize> = lab.store.clusters.keys().map(|c| (c.as_str(), 0)).collect();
    for epoch in lab.store.epochs.values().filter(|e| e.kind == TrialKind::Proposed) {
        *begun.get_mut(epoch.cluster.as_str()).unwrap() += 1;
    }
    begun
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn clusters_that_are_free_sooner_than_the_optimizer_answers_take_the_same_number_of_trials(
        clusters in 1..=CLUSTERS.len(), trials in 1_u32..24, baseline: bool, crash in 0_u32..24,
    ) {
        let mut lab = lab(clusters, trials, baseline);
        lab.work();
        for n in 0..trials {
            if n == crash {
                lab.crash();
            }
            lab.answer(i64::from(n));
            lab.work();
            let begun = begun(&lab);
            let (least, most) = (begun.values().min().unwrap(), begun.values().max().unwrap());
            // no cluster stands idle while the one whose turn it is measures its baseline
            prop_assert!(most - least <= 1 + usize::from(baseline), "{begun:?}");
        }
    }

    #[test]
    fn of_the_free_clusters_the_one_with_the_fewest_trials_takes_the_next(
        order in prop::collection::vec((any::<bool>(), any::<usize>()), 1..120),
    ) {
        let mut lab = lab(CLUSTERS.len(), 40, false);
        lab.work();
        for (answers, which) in order {
            if answers && !lab.asks.is_empty() {
                let before = begun(&lab).into_iter().map(|(c, n)| (c.to_owned(), n)).collect::<BTreeMap<_, _>>();
                let free: Vec<_> =
                    lab.store.clusters.values().filter(|c| c.holder.is_none()).map(|c| c.name.clone()).collect();
                lab.answer(i64::try_from(which % 100).unwrap());
                let after = begun(&lab);
                let took = free.iter().find(|c| after[c.as_str()] > before[*c]).unwrap();
                prop_assert_eq!(before[took], free.iter().map(|c| before[c]).min().unwrap(), "{}", took);
            } else if !lab.orders.is_empty() {
                let order = lab.orders.remove(which % lab.orders.len());
                lab.report(&order, done(&order, lab.now));
            }
        }
    }
}
