//! Files of line protocol of any size.

use std::io::{self, BufRead, Read};

use super::LineOptions;
use super::cursor::is_special;
use crate::wire::error::{Chunk, DecodeError, Place, RowError, RowFault, UTF_16};

/// Longest line, in bytes, and longest text that goes over several.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// Reads points line by line in bounded memory, also where a line has many fields. Bad lines are data: they come beside
/// the good ones.
///
/// ```
/// use metrics_core::Timestamp;
/// use metrics_core::wire::line::{LineOptions, LinesReader, Precision};
/// let file = &b"cpu,host=a user=1.5,idle=98i 1706874182\nnonsense\n"[..];
/// let mut reader = LinesReader::new(file, LineOptions { precision: Precision::Seconds, now: Timestamp::now() });
/// let chunk = reader.next_batch(10_000)?.expect("two lines");
/// assert_eq!((chunk.batch.len(), chunk.errors[0].to_string().starts_with("line 2: ")), (2, true));
/// assert!(reader.next_batch(10_000)?.is_none());
/// # Ok::<(), metrics_core::wire::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct LinesReader<R> {
    input: R,
    options: LineOptions,
    /// The lines at hand.
    block: Vec<u8>,
    /// Lines before those at hand.
    before: u64,
    /// Lines at hand.
    lines: u64,
    skipped_strings: u64,
}

impl<R: BufRead> LinesReader<R> {
    /// A reader of lines that tell what they do not say themselves by `options`.
    pub fn new(input: R, options: LineOptions) -> Self {
        Self { input, options, block: Vec::new(), before: 0, lines: 0, skipped_strings: 0 }
    }

    /// Text fields of the good lines so far, which hold no number.
    pub fn skipped_strings(&self) -> u64 {
        self.skipped_strings
    }

    /// The next lines, at most `most` and more only inside of a text, or fewer when they are long; none at the end of
    /// the file. A line has a point for each of its fields.
    ///
    /// # Errors
    /// [`DecodeError::Read`] when the input fails, [`DecodeError::Syntax`] when it is UTF-16.
    pub fn next_batch(&mut self, most: usize) -> Result<Option<Chunk>, DecodeError> {
        self.block.clear();
        self.before += self.lines;
        self.lines = 0;
        let read = self.fill(u64::try_from(most.max(1)).unwrap_or(u64::MAX));
        let too_long = read.map_err(|source| DecodeError::Read { line: self.before + self.lines, source })?;
        if self.lines == 0 {
            return Ok(None);
        }
        let mut text = self.block.as_slice();
        if self.before == 0 {
            if text.starts_with(b"\xFF\xFE") || text.starts_with(b"\xFE\xFF") {
                return Err(DecodeError::Syntax { place: Place::Body, message: UTF_16.into() });
            }
            text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        }
        let mut errors = Vec::new();
        let (batch, skipped_strings) = super::read(text, &self.options, |error| errors.push(self.counted(error)));
        self.skipped_strings += skipped_strings;
        errors.extend(too_long);
        Ok(Some(Chunk { batch, errors }))
    }

    /// The error of a line of the block, under its number in the file.
    fn counted(&self, error: RowError) -> RowError {
        match error.place {
            Place::Line(line) => RowError { place: Place::Line(self.before + line), ..error },
            _ => error,
        }
    }

    /// Takes lines into the block, which does not end inside of a text; tells of a line that was too long for it.
    fn fill(&mut self, most: u64) -> io::Result<Option<RowError>> {
        let limit = u64::try_from(MAX_LINE_BYTES).expect("a megabyte fits into 64 bits") + 1;
        let mut quotes = Quotes::default();
        let mut text_start = 0;
        loop {
            let start = self.block.len();
            let length = self.input.by_ref().take(limit).read_until(b'\n', &mut self.block)?;
            if length == 0 {
                return Ok(None);
            }
            self.lines += 1;
            if length > MAX_LINE_BYTES && self.block.last() != Some(&b'\n') {
                self.input.skip_until(b'\n')?;
                // An empty line in its place keeps the count.
                self.block.truncate(start);
                self.block.push(b'\n');
                let fault = RowFault::row(format!("longer than {MAX_LINE_BYTES} bytes: split it"));
                return Ok(Some(fault.at(Place::Line(self.before + self.lines))));
            }
            if !quotes.in_text {
                text_start = start;
            }
            quotes.follow(&self.block[start..]);
            // A text without an end is read as one bad line, as `decode` does at the end of a body.
            let longest = if quotes.in_text { text_start + MAX_LINE_BYTES } else { MAX_LINE_BYTES };
            if self.block.len() >= longest || (self.lines >= most && !quotes.in_text) {
                return Ok(None);
            }
        }
    }
}

/// Whether a text is open at the end of the lines seen so far.
#[derive(Debug, Default)]
struct Quotes {
    in_text: bool,
}

impl Quotes {
    /// Looks at the next line. As for the cursor, quotes count behind an equals sign of the fields only.
    fn follow(&mut self, line: &[u8]) {
        if !line.contains(&b'"') {
            return;
        }
        let blanks = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        let (mut at, mut in_fields) = (0, self.in_text);
        if !self.in_text {
            if line.get(blanks) == Some(&b'#') {
                return;
            }
            at = blanks;
        }
        while let Some(byte) = line.get(at) {
            match byte {
                b'\\' if self.in_text || line.get(at + 1).is_some_and(|next| is_special(*next)) => at += 1,
                b'"' if self.in_text => self.in_text = false,
                b'"' => self.in_text = in_fields && line[at - 1] == b'=',
                b' ' => in_fields = true,
                _ => {}
            }
            at += 1;
        }
    }
}
