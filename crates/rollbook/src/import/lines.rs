//! A file's lines, unpacked where it is packed, one at a time.

use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Cursor, Read};

/// The longest line. A roster of a hundred thousand people fits; a file without line breaks does not fill the memory.
const MAX_LINE: u64 = 64 << 20;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The lines of a file that are not blank.
pub struct Lines<'r> {
    reader: Box<dyn BufRead + 'r>,
    read: u64,
}

impl<'r> Lines<'r> {
    /// The lines of a file. Whether it is gzip is seen from its first bytes: standard input has no name that would tell.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn new(mut file: impl Read + 'r) -> io::Result<Self> {
        let mut head = Vec::with_capacity(GZIP.len());
        file.by_ref().take(GZIP.len() as u64).read_to_end(&mut head)?;
        let packed = head == GZIP;
        let whole = BufReader::with_capacity(1 << 17, Cursor::new(head).chain(file));
        let reader: Box<dyn BufRead + 'r> = if packed { Box::new(BufReader::new(MultiGzDecoder::new(whole))) } else { Box::new(whole) };
        Ok(Self { reader, read: 0 })
    }

    /// Puts the next line that is not blank into `line`, without its line break, and returns its number, counted from 1.
    ///
    /// # Errors
    /// Where the file can't be read, or a line has no end.
    pub fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Option<u64>> {
        loop {
            line.clear();
            let len = self.reader.by_ref().take(MAX_LINE).read_until(b'\n', line)?;
            if len == 0 {
                return Ok(None);
            }
            if len as u64 == MAX_LINE && line.last() != Some(&b'\n') {
                return Err(io::Error::other(format!("the next line is longer than {} MiB", MAX_LINE >> 20)));
            }
            self.read += 1;
            let end = line.iter().rposition(|byte| !byte.is_ascii_whitespace()).map_or(0, |last| last + 1);
            line.truncate(end);
            if end > 0 {
                return Ok(Some(self.read));
            }
        }
    }

    /// How many lines were read.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read
    }
}
