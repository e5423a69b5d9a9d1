//! Arithmetic: of integers as long as both are, else of floats. What has no finite result is an error.

use serde_json::Number;

use super::tree::Operator;
use super::value::integer;

type Result<T> = std::result::Result<T, String>;

/// `+`, `-`, `*`, `/` (always a float) and `%` (always of integers).
pub(super) fn calculate(operator: Operator, left: &Number, right: &Number) -> Result<Number> {
    match operator {
        Operator::Divide => {
            let divisor = float(right);
            if divisor == 0.0 {
                return Err("division by zero".into());
            }
            from_float(float(left) / divisor)
        }
        Operator::Modulo => {
            let divisor = truncated(right)?;
            let rest = truncated(left)?.checked_rem(divisor);
            from_integer(rest.ok_or("division by zero")?)
        }
        _ => match (integer(left), integer(right)) {
            // Of 64 bits each: no overflow in 128.
            (Some(left), Some(right)) => from_integer(match operator {
                Operator::Add => left + right,
                Operator::Subtract => left - right,
                _ => left * right,
            }),
            _ => from_float(match operator {
                Operator::Add => float(left) + float(right),
                Operator::Subtract => float(left) - float(right),
                _ => float(left) * float(right),
            }),
        },
    }
}

/// `^`. The exponent is an integer; what is behind its point is ignored.
pub(super) fn power(base: &Number, exponent: &Number) -> Result<Number> {
    let exponent = truncated(exponent)?;
    match integer(base) {
        Some(base) if exponent >= 0 => {
            // An exponent that does not fit is one of -1, 0 or 1, which comes to the same with one as even, or too big.
            let exponent = u32::try_from(exponent).unwrap_or(u32::MAX - (exponent % 2 == 0) as u32);
            let result = base.checked_pow(exponent).ok_or(TOO_LARGE)?;
            // Inja calculates with floats: 3^39 is 4052555153018976256.
            from_integer(result as f64 as i128)
        }
        _ => from_float(float(base).powf(exponent as f64)),
    }
}

/// To so many digits behind the point; to none, an integer.
pub(super) fn round(number: &Number, digits: &Number) -> Result<Number> {
    let digits = truncated(digits)?.clamp(-400, 400) as i32;
    let scale = 10_f64.powi(digits.abs());
    let scale = if digits < 0 { scale.recip() } else { scale };
    let rounded = (float(number) * scale).round() / scale;
    match digits {
        0 => from_integer(whole(rounded)?),
        _ => from_float(rounded),
    }
}

/// Without what is behind its point.
pub(super) fn truncated(number: &Number) -> Result<i128> {
    match integer(number) {
        Some(integer) => Ok(integer),
        None => whole(float(number)),
    }
}

/// What `int` makes of a text: the number that it begins with, after white space.
pub(super) fn parse_integer(text: &str) -> Result<Number> {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let sign = usize::from(text.starts_with(['-', '+']));
    let digits = digits(text, sign);
    let number = text.get(..sign + digits).filter(|_| digits > 0);
    let number = number.ok_or_else(|| format!("'{text}' is not an integer"))?;
    from_integer(number.parse().map_err(|_| TOO_LARGE)?)
}

/// What `float` makes of a text: the decimal number that it begins with, after white space.
pub(super) fn parse_float(text: &str) -> Result<Number> {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let mut end = usize::from(text.starts_with(['-', '+']));
    let whole = digits(text, end);
    end += whole;
    let mut fraction = 0;
    if text.get(end..).is_some_and(|rest| rest.starts_with('.')) {
        fraction = digits(text, end + 1);
        end += 1 + fraction;
    }
    let rest = text.get(end..).unwrap_or_default();
    // C++ would take it.
    let hexadecimal = rest.starts_with(['x', 'X']) && text.get(..end) == Some("0");
    if whole + fraction == 0 || hexadecimal {
        return Err(format!("'{text}' is not a decimal number"));
    }
    if rest.starts_with(['e', 'E']) {
        let sign = rest
            .get(1..)
            .is_some_and(|rest| rest.starts_with(['-', '+']));
        let sign = usize::from(sign);
        let exponent = digits(rest, 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    let number = as_json(text.get(..end).unwrap_or_default());
    // All that is wrong with it now is that it is too large.
    from_float(
        serde_json::from_slice::<Number>(number.as_bytes()).map_or(f64::NAN, |it| float(&it)),
    )
}

/// A decimal number as JSON has it, so that one reader of floats is enough: digits on both sides of the point, and neither
/// a plus nor zeros in front.
fn as_json(number: &str) -> String {
    let (sign, number) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number.trim_start_matches('+')),
    };
    let at = number.find(['.', 'e', 'E']).unwrap_or(number.len());
    let (whole, rest) = number.split_at_checked(at).unwrap_or((number, ""));
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    match rest.strip_prefix('.') {
        Some(fraction) if !fraction.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("{sign}{whole}.0{fraction}")
        }
        _ => format!("{sign}{whole}{rest}"),
    }
}

const TOO_LARGE: &str = "the result is an integer that is too large";

pub(super) fn from_integer(integer: i128) -> Result<Number> {
    let number = i64::try_from(integer).map(Number::from);
    let number = number.or_else(|_| u64::try_from(integer).map(Number::from));
    number.map_err(|_| TOO_LARGE.into())
}

fn from_float(float: f64) -> Result<Number> {
    Number::from_f64(float).ok_or_else(|| "the result is not a finite number".into())
}

fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or_default()
}

fn whole(float: f64) -> Result<i128> {
    // Up to the greatest integer that JSON has here.
    if float.abs() < 18_446_744_073_709_551_616.0 {
        return Ok(float as i128);
    }
    Err(TOO_LARGE.into())
}

fn digits(text: &str, from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    rest.bytes().take_while(u8::is_ascii_digit).count()
}
