//! What time it is at the provider.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

/// The provider's clock, as its refusals show it. Signatures are made for its time: AWS refuses one that is more than five
/// minutes from its own clock ("Signature Version 4: troubleshooting").
///
/// A refusal for another reason teaches nothing, and neither does an accepted call: a clock that has been set right since
/// makes signatures wrong, and the refusal that follows shows it.
#[derive(Debug, Default)]
pub(super) struct ProviderClock {
    /// Seconds that it is ahead; negative: behind.
    ahead: AtomicI64,
}

/// Differences below it are the network's, and accepted by AWS.
const LEAST: u64 = 4 * 60;
/// Differences above it are no clock's: a date like that is not worth trusting.
const MOST: u64 = 24 * 60 * 60;

/// What a refusal taught.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lesson {
    /// Nothing new.
    Nothing,
    /// From now on, times are the provider's, so many seconds from this machine's.
    Apart(i64),
    /// The clocks are together again.
    Together,
}

impl ProviderClock {
    /// The provider's time when it is `here` on this machine.
    pub(super) fn at(&self, here: Duration) -> Duration {
        let ahead = self.ahead.load(Relaxed);
        let apart = Duration::from_secs(ahead.unsigned_abs());
        if ahead < 0 {
            here.saturating_sub(apart)
        } else {
            here.saturating_add(apart)
        }
    }

    /// A call was refused for its time, or may have been, when it was `there` at the provider.
    pub(super) fn refused(&self, here: Duration, there: Duration) -> Lesson {
        let apart = there.abs_diff(here).as_secs();
        let ahead = match (apart, i64::try_from(apart)) {
            (LEAST..=MOST, Ok(apart)) if there < here => -apart,
            (LEAST..=MOST, Ok(apart)) => apart,
            (..LEAST, _) => 0,
            _ => return Lesson::Nothing,
        };
        match (self.ahead.swap(ahead, Relaxed), ahead) {
            (0, 0) => Lesson::Nothing,
            (_, 0) => Lesson::Together,
            // The same again, but for the time that an answer takes.
            (before, now) if before.abs_diff(now) < LEAST => Lesson::Nothing,
            (_, now) => Lesson::Apart(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Duration = Duration::from_secs(1_440_938_160);

    fn there(ahead: i64) -> Duration {
        Duration::from_secs(HERE.as_secs().saturating_add_signed(ahead))
    }

    #[test]
    fn a_refusal_teaches_the_provider_s_time() {
        for ahead in [600, -600, 241, -86_400, 86_400] {
            let clock = ProviderClock::default();
            assert_eq!(clock.refused(HERE, there(ahead)), Lesson::Apart(ahead));
            assert_eq!(clock.at(HERE), there(ahead));
            assert_eq!(clock.refused(HERE, there(ahead + 1)), Lesson::Nothing);
        }
    }

    #[test]
    fn small_differences_are_none_and_large_ones_no_clock_s() {
        for ahead in [0, 239, -239, 86_401, -86_401, 1_000_000_000] {
            let clock = ProviderClock::default();
            assert_eq!(
                clock.refused(HERE, there(ahead)),
                Lesson::Nothing,
                "{ahead}"
            );
            assert_eq!(clock.at(HERE), HERE, "{ahead}");
        }
    }

    #[test]
    fn a_clock_that_was_set_right_is_trusted_again() {
        let clock = ProviderClock::default();
        clock.refused(HERE, there(-3600));
        assert_eq!(clock.refused(HERE, there(1)), Lesson::Together);
        assert_eq!(clock.at(HERE), HERE);
    }

    #[test]
    fn time_does_not_go_below_its_beginning() {
        let clock = ProviderClock::default();
        clock.refused(Duration::from_secs(400), Duration::ZERO);
        assert_eq!(clock.at(Duration::from_secs(1)), Duration::ZERO);
    }
}
