//! The items of a body, one at a time: a batch never lies in memory as one tree.

use super::parse::{Fault, Parser};
use super::{Json, JsonError};

/// One item of a body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item<'a> {
    /// An item as it should be.
    Sound(Json<'a>),
    /// An item that breaks a rule; those after it can still be read.
    Defective(JsonError),
}

/// The items of a body: those of its array, one after another, or the one value that it is.
///
/// Only one item's tree is in memory at a time. After an `Err` nothing follows.
#[derive(Debug)]
pub struct Items<'a> {
    parser: Parser<'a>,
    is_array: bool,
    state: State,
}

#[derive(PartialEq, Eq, Debug)]
enum State {
    Before,
    Within,
    After,
}

impl<'a> Items<'a> {
    /// Looks at the beginning of a body.
    ///
    /// # Errors
    /// Where the body is not UTF-8.
    pub fn open(bytes: &'a [u8]) -> Result<Self, JsonError> {
        let mut parser = Parser::new(bytes, 1)?;
        parser.skip_space();
        let is_array = parser.take(b'[');
        parser.depth = usize::from(is_array);
        Ok(Self { parser, is_array, state: State::Before })
    }

    /// Whether the body is an array.
    #[must_use]
    pub fn is_array(&self) -> bool {
        self.is_array
    }

    /// The next item by a reader of its own, which gets the text that begins with it and tells how many bytes it is long. Where that declines,
    /// or there can be no item, nothing is read: the next item is then what [`Iterator::next`] says.
    pub(crate) fn read_by<T>(&mut self, read: impl FnOnce(&'a str) -> Option<(T, usize)>) -> Option<T> {
        let from = self.parser.at;
        let value = self.try_by(read);
        match value {
            Some(_) => self.state = State::Within,
            None => self.parser.at = from,
        }
        value
    }

    fn try_by<T>(&mut self, read: impl FnOnce(&'a str) -> Option<(T, usize)>) -> Option<T> {
        let parser = &mut self.parser;
        parser.skip_space();
        match self.state {
            State::Before => {}
            State::Within if self.is_array => parser.expect(b',', "','").ok()?,
            State::Within | State::After => return None,
        }
        let (value, length) = read(parser.text.get(parser.at..)?)?;
        parser.at += length;
        if !self.is_array {
            parser.end().ok()?;
        }
        Some(value)
    }

    fn step(&mut self) -> Result<Option<Json<'a>>, Fault> {
        let parser = &mut self.parser;
        if self.is_array {
            parser.skip_space();
            let closed = parser.take(b']');
            if closed {
                return parser.end().map(|()| None);
            }
            if self.state == State::Within {
                parser.expect(b',', "',' or ']'")?;
            }
            self.state = State::Within;
            return parser.value().map(Some);
        }
        if self.state == State::Within {
            return Ok(None);
        }
        self.state = State::Within;
        parser.whole_with_defects().map(Some)
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>, JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::After {
            return None;
        }
        match self.step() {
            Ok(Some(value)) => Some(Ok(match self.parser.defect.take() {
                Some(defect) => Item::Defective(self.parser.locate(defect)),
                None => Item::Sound(value),
            })),
            Ok(None) => {
                self.state = State::After;
                None
            }
            Err(fault) => {
                self.state = State::After;
                Some(Err(self.parser.locate(fault)))
            }
        }
    }
}
