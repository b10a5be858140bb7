//! The parser: one pass over the text, by recursive descent of bounded depth.
//!
//! Two kinds of faults: after a breach of the grammar nothing can be read any more; a **defect** (a key twice, a NUL,
//! half a surrogate pair, a raw control character) leaves the grammar intact, so that the items beside it can still be judged.

use super::{Json, JsonError, Object, Problem};
use std::borrow::Cow;

/// How many arrays and objects may lie within each other.
pub const MAX_DEPTH: usize = 128;

/// How many members an object mostly has at most.
const USUAL_MEMBERS: usize = 8;

/// Reads one JSON text.
///
/// # Errors
/// Whatever breaks the rules of this module, with its place.
pub fn parse(bytes: &[u8]) -> Result<Json<'_>, JsonError> {
    parse_line(bytes, 1)
}

/// Reads one JSON text that starts at `first_line` of what it was cut from, so that errors name the line there.
///
/// # Errors
/// As [`parse`].
pub fn parse_line(bytes: &[u8], first_line: usize) -> Result<Json<'_>, JsonError> {
    let mut parser = Parser::new(bytes, first_line)?;
    parser.whole().map_err(|fault| parser.locate(fault))
}

/// Reads the value that a text begins with, which lies within `depth` arrays and objects; how many bytes it is long. None where it breaks a
/// rule.
pub(crate) fn leading(text: &str, depth: usize) -> Option<(Json<'_>, usize)> {
    let mut parser = Parser { depth, ..Parser::of(text, 1) };
    let value = parser.value().ok()?;
    parser.defect.is_none().then_some((value, parser.at))
}

/// What is wrong, and at which byte.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) problem: Problem,
    pub(super) at: usize,
}

/// A place in a text, and what was noticed on the way there.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) depth: usize,
    /// Up to which byte lines and columns are counted, and the place of that byte.
    counted: usize,
    line: usize,
    column: usize,
    /// The first defect of the item that is being read.
    pub(super) defect: Option<Fault>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(bytes: &'a [u8], first_line: usize) -> Result<Self, JsonError> {
        let parser = |text| Parser::of(text, first_line);
        std::str::from_utf8(bytes).map(parser).map_err(|error| {
            let valid = bytes.get(..error.valid_up_to()).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default();
            parser(valid).locate(Fault { problem: Problem::Utf8, at: valid.len() })
        })
    }

    fn of(text: &'a str, first_line: usize) -> Self {
        Self { text, at: 0, depth: 0, counted: 0, line: first_line, column: 1, defect: None }
    }

    /// Names the place of a fault. Faults come in the order of the text, so that each counts on from the last: a body of
    /// many defective items is still read in one pass.
    pub(super) fn locate(&mut self, fault: Fault) -> JsonError {
        let since = self.text.get(self.counted..fault.at).unwrap_or_default();
        self.counted = fault.at.max(self.counted);
        let last_line = since.rsplit('\n').next().unwrap_or_default();
        if last_line.len() < since.len() {
            self.line += since.bytes().filter(|b| *b == b'\n').count();
            self.column = 1;
        }
        self.column += last_line.chars().count();
        JsonError { problem: fault.problem, line: self.line, column: self.column }
    }

    fn whole(&mut self) -> Result<Json<'a>, Fault> {
        let value = self.whole_with_defects()?;
        self.defect.take().map_or(Ok(value), Err)
    }

    pub(super) fn whole_with_defects(&mut self) -> Result<Json<'a>, Fault> {
        let value = self.value()?;
        self.end()?;
        Ok(value)
    }

    pub(super) fn end(&mut self) -> Result<(), Fault> {
        self.skip_space();
        if self.at < self.text.len() { Err(self.fault(Problem::Trailing)) } else { Ok(()) }
    }

    pub(super) fn fault(&self, problem: Problem) -> Fault {
        let problem = if self.at >= self.text.len() { Problem::Truncated } else { problem };
        Fault { problem, at: self.at }
    }

    pub(super) fn note(&mut self, problem: Problem, at: usize) {
        self.defect.get_or_insert(Fault { problem, at });
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Fault> {
        if self.take(byte) { Ok(()) } else { Err(self.fault(Problem::Expected(what))) }
    }

    #[inline(always)]
    pub(super) fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) -> usize {
        let start = self.at;
        while let Some(byte) = self.peek()
            && wanted(byte)
        {
            self.at += 1;
        }
        self.at - start
    }

    pub(super) fn skip_space(&mut self) {
        self.skip_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
    }

    pub(super) fn value(&mut self) -> Result<Json<'a>, Fault> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => Err(self.fault(Problem::Expected("a value"))),
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, Fault> {
        for byte in word.bytes() {
            self.expect(byte, "a value")?;
        }
        Ok(value)
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json<'a>, Fault>) -> Result<Json<'a>, Fault> {
        if self.depth >= MAX_DEPTH {
            return Err(self.fault(Problem::TooDeep));
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Json<'a>, Fault> {
        let mut items = Vec::new();
        self.skip_space();
        if self.take(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Json::Array(items));
            }
            self.expect(b',', "',' or ']'")?;
        }
    }

    fn object(&mut self) -> Result<Json<'a>, Fault> {
        let mut members = Vec::with_capacity(USUAL_MEMBERS);
        self.skip_space();
        if self.take(b'}') {
            return Ok(Json::Object(Object::default()));
        }
        loop {
            self.skip_space();
            let at = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.fault(Problem::Expected("a key in quotes")));
            }
            let key = self.string()?;
            self.skip_space();
            self.expect(b':', "':'")?;
            members.push((key, self.value()?, at));
            self.skip_space();
            if self.take(b'}') {
                return Ok(self.sorted(members));
            }
            self.expect(b',', "',' or '}'")?;
        }
    }

    fn sorted(&mut self, mut members: Vec<(Cow<'a, str>, Json<'a>, usize)>) -> Json<'a> {
        members.sort_by(|a, b| a.0.cmp(&b.0));
        let twice = members.windows(2).filter_map(|pair| match pair {
            [(first, ..), (second, _, at)] if first == second => Some((*at, second)),
            _ => None,
        });
        if let Some((at, key)) = twice.min() {
            let shown = Json::Text(Cow::Borrowed(key)).shown();
            self.note(Problem::Duplicate(shown), at);
        }
        Json::Object(Object { members: members.into_iter().map(|(key, value, _)| (key, value)).collect() })
    }

    fn number(&mut self) -> Result<Json<'a>, Fault> {
        let start = self.at;
        let digit = |b: u8| b.is_ascii_digit();
        self.take(b'-');
        let leading_zero = self.peek() == Some(b'0');
        let units = self.skip_while(digit);
        if units == 0 || (leading_zero && units > 1) {
            return Err(self.fault(Problem::Number));
        }
        if self.take(b'.') && self.skip_while(digit) == 0 {
            return Err(self.fault(Problem::Number));
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            if self.skip_while(digit) == 0 {
                return Err(self.fault(Problem::Number));
            }
        }
        Ok(Json::Number(self.text.get(start..self.at).unwrap_or_default()))
    }
}
