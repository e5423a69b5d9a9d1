//! RE2's syntax where it is another one than that of the `regex` crate: an expression is written so that the parser of
//! that understands by it what Envoy does.
//!
//! Envoy 1.40 has RE2 read bytes (Latin-1), so no character above `\xFF` can be written as a number. What is said here was
//! found by asking Envoy, and `tests/golden/regexes.txt` is what it answered.

use std::fmt::Write;

/// Names of classes, `\p{…}`: the general categories, in their short form only, and the scripts.
const CATEGORIES: &str = "C Cc Cf Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl \
                          Zp Zs Any";
const SCRIPTS: &str = "\
    Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak \
    Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian \
    Caucasian_Albanian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot \
    Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru Dogra Duployan Egyptian_Hieroglyphs \
    Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi \
    Gurmukhi Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic \
    Inherited Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana \
    Kawi Kayah_Li Kharoshthi Khitan_Small_Script Khmer Khojki Khudawadi Lao Latin Lepcha Limbu \
    Linear_A Linear_B Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen \
    Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs \
    Miao Modi Mongolian Mro Multani Myanmar Nabataean Nag_Mundari Nandinagari New_Tai_Lue Newa \
    Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Old_Hungarian Old_Italic Old_North_Arabian \
    Old_Permic Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage \
    Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang \
    Runic Samaritan Saurashtra Sharada Shavian Siddham SignWriting Sinhala Sogdian \
    Sora_Sompeng Soyombo Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham \
    Tai_Viet Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Toto \
    Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square";
/// The same of `[:…:]`.
const POSIX: &str =
    "alnum alpha ascii blank cntrl digit graph lower print punct space upper word xdigit";
/// A larger number does not stand for a count: what has it stands for itself.
const MOST_DIGITS: usize = 8;

/// The same expression in the syntax of the `regex` crate, or what RE2 does not take. What neither takes may come out as
/// it is.
pub(super) fn written_for_regex(pattern: &str) -> Result<String, String> {
    let mut scanner = Scanner {
        rest: pattern,
        out: String::with_capacity(pattern.len()),
    };
    while let Some(next) = scanner.rest.chars().next() {
        match next {
            '\\' if scanner.skips(r"\Q") => scanner.quoted(),
            '\\' if scanner.skips(r"\C") => scanner.out.push_str("(?s:.)"),
            // What stands in braces behind it is no kind of boundary.
            '\\' if scanner.skips(r"\b") => scanner.out.push_str("(?:\\b)"),
            '\\' => scanner.escape()?,
            '[' => scanner.class()?,
            '{' => scanner.brace(),
            '(' => scanner.group()?,
            _ => scanner.copy(next),
        }
    }
    Ok(scanner.out)
}

struct Scanner<'a> {
    rest: &'a str,
    out: String,
}

impl Scanner<'_> {
    fn skips(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn copy(&mut self, next: char) {
        self.rest = &self.rest[next.len_utf8()..];
        self.out.push(next);
    }

    /// As much of the rest as that is copied.
    fn copy_bytes(&mut self, count: usize) {
        let (copied, rest) = self.rest.split_at(count);
        self.out.push_str(copied);
        self.rest = rest;
    }

    /// A character that stands for itself.
    fn literal(&mut self, literal: char) {
        let mut text = [0; 4];
        self.out
            .push_str(&regex_syntax::escape(literal.encode_utf8(&mut text)));
    }

    /// Everything up to `\E`, or to the end, stands for itself.
    fn quoted(&mut self) {
        let (quoted, rest) = self.rest.split_once(r"\E").unwrap_or((self.rest, ""));
        self.out.push_str(&regex_syntax::escape(quoted));
        self.rest = rest;
    }

    /// A repetition, if it is one; else a brace.
    fn brace(&mut self) {
        let within = self.rest[1..].split_once('}').map(|(within, _)| within);
        let is_count = |text: &str| {
            let digits = text.bytes().all(|it| it.is_ascii_digit());
            digits && (1..=MOST_DIGITS).contains(&text.len())
        };
        let is_repetition = within.is_some_and(|within| match within.split_once(',') {
            Some((least, most)) => is_count(least) && (most.is_empty() || is_count(most)),
            None => is_count(within),
        });
        match (is_repetition, within) {
            (true, Some(within)) => self.copy_bytes(within.len() + 2),
            _ => {
                self.rest = &self.rest[1..];
                self.out.push_str(r"\{");
            }
        }
    }

    /// The beginning of a group; names are in ASCII, and may be given twice.
    fn group(&mut self) -> Result<(), String> {
        if !self.skips("(?P<") && !self.skips("(?<") {
            self.copy('(');
            return Ok(());
        }
        let (name, rest) = self.rest.split_once('>').unwrap_or_default();
        let is_word = |it: u8| it.is_ascii_alphanumeric() || it == b'_';
        if name.is_empty() || !name.bytes().all(is_word) {
            return Err("a name of a group is of ASCII letters, digits and _".to_owned());
        }
        self.out.push('(');
        self.rest = rest;
        Ok(())
    }

    /// What begins with a backslash, in a class or outside of it.
    fn escape(&mut self) -> Result<(), String> {
        if self.skips(r"\p") {
            return self.named_class(false);
        }
        if self.skips(r"\P") {
            return self.named_class(true);
        }
        if let Some(literal) = self.number()? {
            // In a class, too.
            let _ = write!(self.out, r"\x{{{literal:X}}}");
            return Ok(());
        }
        match self.rest[1..].chars().next() {
            Some(next @ ('<' | '>')) => {
                self.rest = &self.rest[2..];
                self.out.push(next);
            }
            Some(next) => self.copy_bytes(1 + next.len_utf8()),
            None => self.copy_bytes(1),
        }
        Ok(())
    }

    /// A character as a number, octal or hexadecimal.
    fn number(&mut self) -> Result<Option<u32>, String> {
        let digits = |radix, most| {
            let rest = self.rest.get(2..).unwrap_or_default();
            let digits = rest.chars().take_while(move |it| it.is_digit(radix));
            digits.take(most).count()
        };
        let (from, to, radix, end) = match self.rest.as_bytes().get(1) {
            Some(b'0'..=b'7') => (1, 2 + digits(8, 2), 8, 0),
            Some(b'x') if self.rest.as_bytes().get(2) == Some(&b'{') => {
                let close = self.rest.find('}').ok_or(r"\x{ without }")?;
                (3, close, 16, 1)
            }
            Some(b'x') => (2, 2 + digits(16, 2), 16, 0),
            _ => return Ok(None),
        };
        let text = &self.rest[from..to];
        if radix == 8 && text.len() == 1 && text != "0" {
            return Err("backreferences are not supported".to_owned());
        }
        let number = u32::from_str_radix(text, radix).ok();
        let is_whole = radix == 8 || end == 1 || text.len() == 2;
        let number = number.filter(|number| *number <= 0xFF && is_whole);
        let number = number.ok_or(r"a character as a number is \x00 to \xFF in Envoy")?;
        self.rest = &self.rest[to + end..];
        Ok(Some(number))
    }

    /// What follows `\p` or `\P`.
    fn named_class(&mut self, negated: bool) -> Result<(), String> {
        let (name, rest) = match self.rest.strip_prefix('{') {
            Some(rest) => rest.split_once('}').unwrap_or_default(),
            None => {
                let length = self.rest.chars().next().map_or(0, char::len_utf8);
                self.rest.split_at(length)
            }
        };
        let (negated, name) = match name.strip_prefix('^') {
            Some(name) => (!negated, name),
            None => (negated, name),
        };
        let mut known = CATEGORIES.split(' ').chain(SCRIPTS.split(' '));
        if !known.any(|it| it == name) {
            return Err(format!(
                "RE2 knows no class {name:?}, only short names of categories, as in \\p{{Lu}}, and scripts, as in \\p{{Greek}}"
            ));
        }
        // Those have no characters but halves of some, which the `regex` crate does not know.
        let name = if name == "Cs" { "Co" } else { name };
        let kind = if negated { 'P' } else { 'p' };
        let _ = write!(self.out, "\\{kind}{{{name}}}");
        self.rest = rest;
        Ok(())
    }

    /// A class in brackets: nothing but `\`, `]`, `-` and `[:` is special there.
    fn class(&mut self) -> Result<(), String> {
        self.copy('[');
        if self.rest.starts_with('^') {
            self.copy('^');
        }
        let mut is_first = true;
        while let Some(next) = self.rest.chars().next() {
            match next {
                ']' if !is_first => {
                    self.copy(']');
                    return Ok(());
                }
                '[' if self.posix_class()? => {}
                '\\' if self.rest[1..].starts_with(['p', 'P', 'd', 'D', 's', 'S', 'w', 'W']) => {
                    self.escape()?;
                    // No end of a range.
                    if self.rest.starts_with('-') {
                        self.rest = &self.rest[1..];
                        self.out.push_str(r"\-");
                    }
                }
                _ => {
                    self.of_class(next)?;
                    let range = self.rest.strip_prefix('-');
                    let range = range.filter(|rest| !rest.starts_with(']'));
                    if let Some(end) = range.and_then(|rest| rest.chars().next()) {
                        self.copy('-');
                        self.of_class(end)?;
                    }
                }
            }
            is_first = false;
        }
        Err("unclosed character class".to_owned())
    }

    /// One character of a class.
    fn of_class(&mut self, next: char) -> Result<(), String> {
        if next == '\\' {
            return self.escape();
        }
        self.rest = &self.rest[next.len_utf8()..];
        self.literal(next);
        Ok(())
    }

    fn posix_class(&mut self) -> Result<bool, String> {
        let Some((name, _)) = self.rest[1..]
            .strip_prefix(':')
            .and_then(|rest| rest.split_once(":]"))
        else {
            return Ok(false);
        };
        let known = name.strip_prefix('^').unwrap_or(name);
        if !POSIX.split(' ').any(|it| it == known) {
            return Err(format!("RE2 knows no class [:{known}:]"));
        }
        self.copy_bytes(name.len() + 4);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_short_anywhere_is_no_panic() {
        const SPECIAL: [&str; 20] = [
            "\\", "[", "]", "{", "}", "(", "(?P<", ">", "^", "-", "[:", ":]", "p", "x", "Q", "é",
            ",", "0", "7", "a",
        ];
        let mut taken = 0;
        for a in SPECIAL {
            for b in SPECIAL {
                for c in SPECIAL {
                    for d in SPECIAL {
                        taken += usize::from(written_for_regex(&[a, b, c, d].concat()).is_ok());
                    }
                }
            }
        }
        assert!(taken > 10_000, "{taken}");
    }

    #[test]
    fn what_is_the_same_in_both_stays_as_it_is() {
        for pattern in ["/users/([0-9]+)/.*", r"(?i)a\.b|c{2,3}$", "[[:alpha:]x]"] {
            assert_eq!(written_for_regex(pattern).as_deref(), Ok(pattern));
        }
        assert_eq!(written_for_regex("/{id}").as_deref(), Ok(r"/\{id}"));
    }
}
