//! Whether to measure a point once more.
//!
//! Where the results do not tell how much of what the model leaves unexplained is noise, and the recommendation depends on it, the recommended
//! point is worth a second measurement: the same value again says that there is no noise, another one how much there is.

use crate::known::{Known, Seen};
use crate::outlook::Choice;

/// A point is measured again for the first time after so many results, and each further time after twice as many as before.
const FIRST: usize = 60;

/// The result whose parameters are worth another measurement. `None` where it is known what one would tell, where that changes nothing, or where it
/// would be one too many; and where placements are told, of which none is bought twice.
pub fn again<'a>(choice: &Choice<'a>, known: &Known) -> Option<&'a Seen> {
    let measured = known.measured().count();
    let repeated = known.seen.windows(2).filter(|two| two[0].point == two[1].point).count();
    let one_too_many = measured >> repeated.min(32) < FIRST;
    let placed = known.seen.iter().any(|s| s.placement.is_some());
    let wanted = choice.in_doubt && !one_too_many && !placed && !known.is_pending(&choice.recommended.point);
    wanted.then_some(choice.recommended)
}
