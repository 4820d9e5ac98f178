//! The time that CI has. The variable AUTOOPT_CI_DEADLINE, in seconds since 1970, says when `cargo xtask ci` has to be over; a late task
//! that may not be over by then is left out, with a message. Without the variable there is all the time in the world.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::task::When;

const VARIABLE: &str = "AUTOOPT_CI_DEADLINE";

/// Why `ci` does not run a task now, if it does not.
pub(crate) fn against(when: &When) -> Result<Option<String>> {
    Ok(reason(when, left()?))
}

fn reason(when: &When, left: Option<Duration>) -> Option<String> {
    match (when, left) {
        (When::Asked, _) => Some("only by its name".into()),
        (When::Within(minutes), Some(left)) if left < Duration::from_secs(60 * minutes) => {
            Some(format!("it may take {minutes} min, and {} are left", left.as_secs() / 60))
        }
        _ => None,
    }
}

/// What is left of the time, if it is limited.
#[expect(clippy::disallowed_methods, reason = "the contract's clock is for services")]
fn left() -> Result<Option<Duration>> {
    let Ok(given) = std::env::var(VARIABLE) else { return Ok(None) };
    let seconds = given.parse::<u64>();
    let deadline =
        seconds.with_context(|| format!("{VARIABLE}={given} is not a number of seconds since 1970"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    Ok(Some(Duration::from_secs(deadline).saturating_sub(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_late_task_is_left_out_for_want_of_time() {
        let minutes = |n: u64| Some(Duration::from_secs(60 * n));
        assert_eq!(reason(&When::Always, minutes(0)), None);
        assert_eq!(reason(&When::Within(10), None), None);
        assert_eq!(reason(&When::Within(10), minutes(10)), None);
        assert_eq!(reason(&When::Within(10), minutes(9)).unwrap(), "it may take 10 min, and 9 are left");
        assert!(reason(&When::Asked, None).is_some());
    }
}
