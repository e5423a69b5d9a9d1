//! How values are written, to the byte as the JSON library of Inja (nlohmann) does.

use serde_json::{Number, Value};

/// Writes what `{{ }}` prints of a value: a string as it is, nothing for null, and JSON of anything else.
pub(super) fn print_value(value: &Value, escapes: bool, out: &mut Vec<u8>) {
    match value {
        Value::String(text) if escapes => escape(text, out),
        Value::String(text) => out.extend_from_slice(text.as_bytes()),
        Value::Null => {}
        other => dump(other, out),
    }
}

/// Writes a value as JSON, without white space, an object's members sorted by their names.
pub(super) fn dump(value: &Value, out: &mut Vec<u8>) {
    write(value, float, out);
}

/// The same as Envoy writes metadata: whole numbers without a fraction.
pub(super) fn dump_metadata(value: &Value, out: &mut Vec<u8>) {
    write(value, short_float, out);
}

/// A string as in JSON, without the quotes.
pub(super) fn escaped(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    escape(text, &mut out);
    out
}

fn write(value: &Value, write_float: fn(&Number) -> String, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(write_float(number).as_bytes()),
        Value::String(text) => quote(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, write_float, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                quote(name, out);
                out.push(b':');
                write(member, write_float, out);
            }
            out.push(b'}');
        }
    }
}

fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

fn escape(text: &str, out: &mut Vec<u8>) {
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..=0x1f => "",
            _ => continue,
        };
        out.extend_from_slice(text.get(plain..at).unwrap_or_default().as_bytes());
        plain = at + 1;
        if short.is_empty() {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.extend_from_slice(short.as_bytes());
        }
    }
    out.extend_from_slice(text.get(plain..).unwrap_or_default().as_bytes());
}

/// A number: an integer as it is; a float with the fewest digits that say it, always with a fraction or an exponent.
pub(super) fn float(number: &Number) -> String {
    let text = number.to_string();
    if !number.is_f64() {
        return text;
    }
    let (sign, digits, point) = decimal(&text);
    let length = digits.len() as i32;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or_default());
    if digits.is_empty() {
        return format!("{sign}0.0");
    }
    if (length..=15).contains(&point) {
        return format!("{sign}{digits}{}.0", zeros(point - length));
    }
    if (1..=15).contains(&point) {
        let (whole, fraction) = split(&digits, point);
        return format!("{sign}{whole}.{fraction}");
    }
    if (-3..=0).contains(&point) {
        return format!("{sign}0.{}{digits}", zeros(-point));
    }
    let (first, rest) = split(&digits, 1);
    let dot = if rest.is_empty() { "" } else { "." };
    let exponent = point - 1;
    let minus = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{first}{dot}{rest}e{minus}{:02}", exponent.abs())
}

fn short_float(number: &Number) -> String {
    let text = float(number);
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

fn split(digits: &str, at: i32) -> (&str, &str) {
    let at = usize::try_from(at).unwrap_or_default();
    digits.split_at_checked(at).unwrap_or((digits, ""))
}

/// A decimal number's sign, its digits without zeros at the ends, and where among them the point is.
fn decimal(text: &str) -> (&str, String, i32) {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    let leading = all.len() - digits.len();
    let point = exponent.parse::<i32>().unwrap_or_default() + whole.len() as i32 - leading as i32;
    (sign, digits.trim_end_matches('0').to_owned(), point)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_inja_does() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-2.5, "-2.5"),
            (0.1, "0.1"),
            (0.001, "0.001"),
            (0.0001, "0.0001"),
            (0.00012345, "0.00012345"),
            (0.00001, "1e-05"),
            (0.000012345, "1.2345e-05"),
            (123456789.0, "123456789.0"),
            (123456789012345.0, "123456789012345.0"),
            (999999999999999.0, "999999999999999.0"),
            (1e15, "1e+15"),
            (1.5e15, "1.5e+15"),
            (1e16, "1e+16"),
            (12345678901234.5, "12345678901234.5"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (1e100, "1e+100"),
            (0.30000000000000004, "0.30000000000000004"),
            (1.0 / 3.0, "0.3333333333333333"),
        ] {
            let number = Number::from_f64(number).unwrap();
            assert_eq!(float(&number), text);
        }
    }

    #[test]
    fn strings_are_escaped_only_where_json_needs_it() {
        let mut out = Vec::new();
        dump(
            &Value::from("\"\\/\u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}é😀"),
            &mut out,
        );
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\u{7f}é😀\""
        );
    }
}
