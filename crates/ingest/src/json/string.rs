//! Texts in quotes, and their escapes.

use super::Problem;
use super::parse::{Fault, Parser};
use std::borrow::Cow;

impl<'a> Parser<'a> {
    /// Reads the text whose opening quote is next.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.at += 1;
        let mut unescaped = String::new();
        loop {
            let start = self.at;
            self.skip_while(|b| b != b'"' && b != b'\\' && b >= b' ');
            let plain = self.text.get(start..self.at).unwrap_or_default();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    if unescaped.is_empty() {
                        return Ok(Cow::Borrowed(plain));
                    }
                    unescaped.push_str(plain);
                    return Ok(Cow::Owned(unescaped));
                }
                Some(b'\\') => {
                    unescaped.push_str(plain);
                    unescaped.push(self.escape()?);
                }
                Some(control) => {
                    self.note(if control == 0 { Problem::Nul } else { Problem::Control }, self.at);
                    unescaped.push_str(plain);
                    unescaped.push(char::REPLACEMENT_CHARACTER);
                    self.at += 1;
                }
                None => return Err(self.fault(Problem::Truncated)),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let start = self.at;
        self.at += 1;
        let letter = self.peek().ok_or_else(|| self.fault(Problem::Truncated))?;
        let plain = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode(start);
            }
            _ => return Err(self.fault(Problem::Escape)),
        };
        self.at += 1;
        Ok(plain)
    }

    /// The character of a `\u` escape that begins at `start`, of both escapes where the first is half a surrogate pair.
    fn unicode(&mut self, start: usize) -> Result<char, Fault> {
        let first = self.four_hex()?;
        let mut code = first;
        let rest = self.text.get(self.at..).unwrap_or_default();
        if (0xd800..0xdc00).contains(&first) && rest.starts_with("\\u") {
            let after_first = self.at;
            self.at += 2;
            let second = self.four_hex()?;
            if (0xdc00..0xe000).contains(&second) {
                code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            } else {
                self.at = after_first;
            }
        }
        if code == 0 {
            self.note(Problem::Nul, start);
        }
        Ok(char::from_u32(code).unwrap_or_else(|| {
            self.note(Problem::LoneSurrogate, start);
            char::REPLACEMENT_CHARACTER
        }))
    }

    fn four_hex(&mut self) -> Result<u32, Fault> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|b| char::from(b).to_digit(16)).ok_or_else(|| self.fault(Problem::Escape))?;
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}
