//! Whether to measure a point once more.
//!
//! Where the results do not tell how much of what the model leaves unexplained is noise, and the recommendation depends on it, the recommended
//! point is worth a second measurement: the same value again says that there is no noise, another one how much there is. And a placement that
//! was seen once may be one that the point hardly ever has, so before the search ends the recommended point shows it again.

use autoopt_epoch::message::Ask;

use crate::known::{Known, Seen};
use crate::outlook::Choice;
use crate::surrogate::Relation;

/// A point is measured again for the first time after so many results, and each further time after twice as many as before.
const FIRST: usize = 60;
/// Placements are seen again in the last one of so many parts of the budget.
const LAST: u32 = 10;

/// A measurement that is worth repeating.
#[derive(Clone, Debug)]
pub struct Again<'a> {
    pub seen: &'a Seen,
    /// For people: why.
    pub note: &'static str,
}

/// The recommended result, if its parameters are worth another measurement. `None` where it is known what one would tell, where that changes
/// nothing, or where it would be one too many; and with several clusters, on another of which it might be.
pub fn again<'a>(choice: &Choice<'a>, ask: &Ask, known: &Known) -> Option<Again<'a>> {
    let seen = choice.recommended;
    if known.is_pending(&seen.point) || known.relations.contains(&Relation::Cluster) {
        return None;
    }
    let placed = known.seen.iter().any(|s| s.placement.is_some());
    if placed {
        let left = ask.budget.saturating_sub(ask.number.saturating_sub(1));
        let wanted = left <= ask.budget / LAST && seen.placement.is_some() && seen_once(seen, known);
        return wanted
            .then_some(Again { seen, note: "the recommended point again: its placement was seen once" });
    }
    let measured = known.measured().count();
    let repeated = known.seen.windows(2).filter(|two| two[0].point == two[1].point).count();
    let one_too_many = measured >> repeated.min(32) < FIRST;
    (choice.in_doubt && !one_too_many).then_some(Again {
        seen,
        note: "the recommended point again: whether what the model leaves unexplained is noise is not known",
    })
}

/// Whether neither the point nor its placement was measured beside this once.
fn seen_once(seen: &Seen, known: &Known) -> bool {
    let alike = |s: &&Seen| s.point == seen.point || (s.place == seen.place && s.placement == seen.placement);
    known.seen.iter().filter(alike).count() == 1
}
