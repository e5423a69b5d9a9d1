//! Dates as signatures and credentials write them. UTC only; no clock.

use std::time::Duration;

const DAY: u64 = 86_400;
/// 9999-12-31T23:59:59Z, the last second that has a year of four digits.
const LAST: u64 = 253_402_300_799;

/// The number of the day since the epoch.
pub(crate) fn day(now: Duration) -> u64 {
    now.as_secs().min(LAST) / DAY
}

/// `YYYYMMDDTHHMMSSZ`, the basic format of ISO 8601.
pub(crate) fn basic(now: Duration) -> [u8; 16] {
    let seconds = now.as_secs().min(LAST);
    let [y1, y2, y3, y4, m1, m2, d1, d2] = basic_day(seconds / DAY);
    let second = seconds % DAY;
    let [h1, h2] = two_digits(second / 3600);
    let [n1, n2] = two_digits(second / 60 % 60);
    let [s1, s2] = two_digits(second % 60);
    [
        y1, y2, y3, y4, m1, m2, d1, d2, b'T', h1, h2, n1, n2, s1, s2, b'Z',
    ]
}

/// `YYYYMMDD` of a day since the epoch.
pub(crate) fn basic_day(day: u64) -> [u8; 8] {
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days. Years begin in March there, so
    // that the leap day is the last of a year.
    let shifted = day + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let [y1, y2] = two_digits(year / 100);
    let [y3, y4] = two_digits(year % 100);
    let [m1, m2] = two_digits(month);
    let [d1, d2] = two_digits(day_of_month);
    [y1, y2, y3, y4, m1, m2, d1, d2]
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, the one format of dates that HTTP writes (RFC 9110, 5.6.7).
pub(crate) fn from_http(text: &str) -> Option<Duration> {
    let mut parts = text.split(' ').skip(1);
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let time = parts.next()?;
    from_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z"))
}

/// `12/Mar/2020:19:03:58 +0000`, the time of the Common Log Format.
pub(crate) fn common_log(now: Duration) -> String {
    let basic = basic(now);
    // Digits throughout.
    let part = |range| {
        basic
            .get(range)
            .and_then(|part| std::str::from_utf8(part).ok())
    };
    let part = |range| part(range).unwrap_or_default();
    let month: usize = part(4..6).parse().unwrap_or_default();
    format!(
        "{}/{}/{}:{}:{}:{} +0000",
        part(6..8),
        MONTHS.get(month.wrapping_sub(1)).unwrap_or(&""),
        part(0..4),
        part(9..11),
        part(11..13),
        part(13..15)
    )
}

fn two_digits(number: u64) -> [u8; 2] {
    let digit = |value: u64| b'0' + u8::try_from(value % 10).unwrap_or(0);
    [digit(number / 10), digit(number)]
}

/// Reads RFC 3339 (`2030-01-01T00:00:00Z`, fractions and offsets allowed). Times before the epoch are the epoch.
pub(crate) fn from_rfc3339(text: &str) -> Option<Duration> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut date = date.split('-');
    let (year, month, day) = (
        number(date.next()?, 4)?,
        number(date.next()?, 2)?,
        number(date.next()?, 2)?,
    );
    let time = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = time.split_at_checked(8)?;
    let mut clock = clock.split(':');
    let (hour, minute, second) = (
        number(clock.next()?, 2)?,
        number(clock.next()?, 2)?,
        number(clock.next()?, 2)?,
    );
    let (nanos, zone) = match rest.strip_prefix('.') {
        Some(rest) => fraction(rest)?,
        None => (0, rest),
    };
    // RFC 3339 §5.6 allows second 60, which has no time of its own since the epoch: it is the next one.
    let valid = date.next().is_none()
        && clock.next().is_none()
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !valid {
        return None;
    }
    let local = days_since_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let Ok(seconds) = u64::try_from(local - offset(zone)?) else {
        return Some(Duration::ZERO);
    };
    Some(Duration::new(seconds, nanos))
}

fn number(digits: &str, length: usize) -> Option<i64> {
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    (digits.len() == length && all_digits)
        .then(|| digits.parse().ok())
        .flatten()
}

/// The nanoseconds of a fraction of at least one digit, and what follows it.
fn fraction(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, rest) = text.split_at_checked(end)?;
    let nanos = digits
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(9)
        .fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0'));
    (!digits.is_empty()).then_some((nanos, rest))
}

/// The seconds that a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, zone) = match zone.strip_prefix('+') {
        Some(zone) => (1, zone),
        None => (-1, zone.strip_prefix('-')?),
    };
    let (hours, minutes) = zone.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    // The inverse of `basic_day`: days_from_civil of the same paper.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(seconds: u64) -> String {
        String::from_utf8(basic(Duration::from_secs(seconds)).to_vec()).unwrap()
    }

    #[test]
    fn times_are_written_in_the_basic_format() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (951_868_800, "20000301T000000Z"),
            (1_440_938_160, "20150830T123600Z"),
            (4_107_542_399, "21000228T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
            (u64::MAX, "99991231T235959Z"),
        ] {
            assert_eq!(written(seconds), text);
        }
    }

    #[test]
    fn dates_of_http_are_read() {
        for (text, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun, 06 Foo 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994", None),
            ("", None),
        ] {
            assert_eq!(from_http(text), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn times_are_written_as_logs_have_them() {
        for (seconds, text) in [
            (1_440_938_160, "30/Aug/2015:12:36:00 +0000"),
            (0, "01/Jan/1970:00:00:00 +0000"),
            (u64::MAX, "31/Dec/9999:23:59:59 +0000"),
        ] {
            assert_eq!(common_log(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn every_day_of_eight_centuries_is_read_as_it_was_written() {
        for day in 0..292_194 {
            let text = written(day * DAY);
            let (date, _) = text.split_once('T').unwrap();
            let text = format!("{}-{}-{}T00:00:00Z", &date[..4], &date[4..6], &date[6..]);
            assert_eq!(
                from_rfc3339(&text),
                Some(Duration::from_secs(day * DAY)),
                "{text}"
            );
        }
    }

    #[test]
    fn expirations_are_read_with_fractions_and_offsets() {
        for (text, seconds, nanos) in [
            ("2015-08-30T12:36:00Z", 1_440_938_160, 0),
            ("2015-08-30t12:36:00z", 1_440_938_160, 0),
            ("2015-08-30T12:36:00.5Z", 1_440_938_160, 500_000_000),
            (
                "2015-08-30T12:36:00.1234567891Z",
                1_440_938_160,
                123_456_789,
            ),
            ("2015-08-30T14:06:00+01:30", 1_440_938_160, 0),
            ("2015-08-30T05:36:00-07:00", 1_440_938_160, 0),
            ("2016-12-31T23:59:60Z", 1_483_228_800, 0),
            ("1969-12-31T23:59:59Z", 0, 0),
            ("1970-01-01T00:00:00+01:00", 0, 0),
        ] {
            assert_eq!(
                from_rfc3339(text),
                Some(Duration::new(seconds, nanos)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2015-08-30",
            "2015-08-30T12:36:00",
            "2015-08-30T12:36Z",
            "2015-13-30T12:36:00Z",
            "2015-02-29T12:36:00Z",
            "2015-08-30T24:00:00Z",
            "2015-08-30T12:60:00Z",
            "2015-08-30T12:36:00.Z",
            "2015-08-30T12:36:00+0100",
            "2015-08-30T12:36:00Zz",
            "20150830T123600Z",
            "+015-08-30T12:36:00Z",
            "2015-08-3é0T12:36:00Z",
            "1440938160",
        ] {
            assert_eq!(from_rfc3339(text), None, "{text}");
        }
    }
}
