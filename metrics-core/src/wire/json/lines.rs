//! NDJSON files of any size.

use std::io::{self, BufRead, Read};

use super::point::PointReader;
use crate::model::Timestamp;
use crate::wire::error::{Chunk, DecodeError, Place, RowError, RowFault, UTF_16};

/// Longest line, in bytes: more than the longest point takes with every character escaped.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// Reads points line by line in constant memory. Bad lines are data: they come beside the good ones.
///
/// ```
/// use metrics_core::{Timestamp, wire::json::LinesReader};
/// let file = &b"{\"name\":\"load\",\"value\":0.5}\nnonsense\n"[..];
/// let mut reader = LinesReader::new(file, Timestamp::now());
/// let chunk = reader.next_batch(10_000)?.expect("two lines");
/// assert_eq!((chunk.batch.len(), chunk.errors[0].to_string().starts_with("line 2: ")), (1, true));
/// assert!(reader.next_batch(10_000)?.is_none());
/// # Ok::<(), metrics_core::wire::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct LinesReader<R> {
    input: R,
    points: PointReader,
    line: Vec<u8>,
    /// Lines read so far.
    number: u64,
}

impl<R: BufRead> LinesReader<R> {
    /// A reader that gives points without a timestamp the time `now`.
    pub fn new(input: R, now: Timestamp) -> Self {
        Self { input, points: PointReader::new(now), line: Vec::new(), number: 0 }
    }

    /// The next lines, at most `most` that are not blank; none at the end of the file.
    ///
    /// # Errors
    /// [`DecodeError::Read`] when the input fails, [`DecodeError::Syntax`] when it is UTF-16.
    pub fn next_batch(&mut self, most: usize) -> Result<Option<Chunk>, DecodeError> {
        let mut errors = Vec::new();
        let mut rows = 0;
        while rows < most.max(1) {
            let row = match self.next_line() {
                Ok(None) => break,
                Ok(Some(false)) => Err(self.too_long()),
                Ok(Some(true)) if self.number == 1 && is_utf_16(&self.line) => {
                    return Err(DecodeError::Syntax { place: Place::Body, message: UTF_16.into() });
                }
                Ok(Some(true)) => {
                    let mark: &[u8] = if self.number == 1 { b"\xEF\xBB\xBF" } else { b"" };
                    let line = self.line.strip_prefix(mark).unwrap_or(&self.line);
                    if line.trim_ascii().is_empty() {
                        continue;
                    }
                    super::read_line(line, self.number, &mut self.points)
                }
                Err(source) => return Err(DecodeError::Read { line: self.number, source }),
            };
            rows += 1;
            errors.extend(row.err());
        }
        Ok((rows > 0).then(|| Chunk { batch: self.points.take_batch(), errors }))
    }

    /// Reads a line; false when it was too long and was passed over.
    fn next_line(&mut self) -> io::Result<Option<bool>> {
        self.line.clear();
        let most = u64::try_from(MAX_LINE_BYTES).expect("a megabyte fits into 64 bits") + 1;
        let length = self.input.by_ref().take(most).read_until(b'\n', &mut self.line)?;
        if length == 0 {
            return Ok(None);
        }
        let whole = length <= MAX_LINE_BYTES || self.line.ends_with(b"\n");
        if !whole {
            self.input.skip_until(b'\n')?;
        }
        self.number += 1;
        Ok(Some(whole))
    }

    fn too_long(&self) -> RowError {
        RowFault::row(format!("longer than {MAX_LINE_BYTES} bytes: one point a line is required"))
            .at(Place::Line(self.number))
    }
}

fn is_utf_16(line: &[u8]) -> bool {
    line.starts_with(b"\xFF\xFE") || line.starts_with(b"\xFE\xFF")
}
