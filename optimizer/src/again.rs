//! Whether to measure a point once more.
//!
//! Where the results do not tell how much of what the model leaves unexplained is noise, and the recommendation depends on it, the recommended
//! point is worth a second measurement: the same value again says that there is no noise, another one how much there is.

use crate::known::{Known, Seen};
use crate::outlook::{Models, choose};
use crate::space::Codec;
use crate::surrogate::Finer;

/// A point is measured again for the first time after so many results, and each further time after twice as many as before.
const FIRST: usize = 60;

/// The result whose parameters are worth another measurement. `None` where it is known what one would tell, where that changes nothing, or where it
/// would be one too many; and where placements are told, of which none is bought twice.
pub fn again<'a>(models: Models<'_>, codec: &Codec, known: &'a Known) -> Option<&'a Seen> {
    if known.seen.iter().any(|s| s.placement.is_some()) {
        return None;
    }
    let measured = known.measured().count();
    let repeated = known.seen.windows(2).filter(|two| two[0].point == two[1].point).count();
    if measured >> repeated.min(32) < FIRST {
        return None;
    }
    let finer = Finer::new(codec.columns(), &models.gps[0]);
    let [if_noise, if_real] = finer.best()?;
    if if_noise == if_real || finer.is_settled() {
        return None;
    }
    choose(models, codec, known).map(|choice| choice.recommended).filter(|s| !known.is_pending(&s.point))
}
