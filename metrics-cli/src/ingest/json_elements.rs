//! A JSON document as lines: each element of the outermost array, or each outermost object, on a line of its own.

use std::io::{self, BufRead, Read};

/// Turns JSON into NDJSON byte by byte, without holding more than a few kilobytes of it.
///
/// It follows brackets and strings and nothing else: what is wrong inside an element is found by whoever reads the line.
pub(crate) struct JsonElements<R> {
    inner: R,
    /// Open brackets and braces, not counting those of the outermost array.
    depth: usize,
    in_array: bool,
    in_string: bool,
    escaped: bool,
    done: bool,
}

impl<R: BufRead> JsonElements<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, depth: 0, in_array: false, in_string: false, escaped: false, done: false }
    }

    /// What stands for a byte in the lines.
    fn map(&mut self, byte: u8) -> u8 {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                // Not allowed inside a string: kept apart from the end of a line.
                b'\n' | b'\r' => return 0,
                _ => {}
            }
            return byte;
        }
        match byte {
            b'"' => self.in_string = true,
            b'[' if self.depth == 0 && !self.in_array => {
                self.in_array = true;
                return b' ';
            }
            b'[' | b'{' => self.depth += 1,
            b']' if self.depth == 0 && self.in_array => {
                self.in_array = false;
                return b'\n';
            }
            b']' | b'}' => {
                self.depth = self.depth.saturating_sub(1);
            }
            b',' if self.depth == 0 && self.in_array => return b'\n',
            b'\n' | b'\r' => return b' ',
            _ => {}
        }
        byte
    }

    fn is_open(&self) -> bool {
        self.in_array || self.in_string || self.depth > 0
    }
}

impl<R: BufRead> Read for JsonElements<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let input = self.inner.fill_buf()?;
        if input.is_empty() {
            if !std::mem::replace(&mut self.done, true) && self.is_open() {
                let message = "the JSON ends before its last bracket or quote is closed";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            return Ok(0);
        }
        let count = input.len().min(out.len());
        out[..count].copy_from_slice(&input[..count]);
        self.inner.consume(count);
        for byte in &mut out[..count] {
            *byte = self.map(*byte);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(json: &str) -> io::Result<Vec<String>> {
        // A small buffer: what is seen must not depend on where reads end.
        let reader = io::BufReader::with_capacity(3, json.as_bytes());
        let mut text = String::new();
        JsonElements::new(reader).read_to_string(&mut text)?;
        Ok(text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect())
    }

    #[test]
    fn elements_of_the_outer_array_become_lines() {
        let json = "[\n {\"a\": [1, 2],\n  \"b\": \"x,]\\\"{\"},\n {\"a\": {\"c\": []}}\n]\n";
        assert_eq!(lines(json).expect("complete"), ["{\"a\": [1, 2],   \"b\": \"x,]\\\"{\"}", "{\"a\": {\"c\": []}}"]);
    }

    #[test]
    fn one_object_over_several_lines_is_one_line() {
        assert_eq!(lines("{\n\"a\":\n1\n}").expect("complete"), ["{ \"a\": 1 }"]);
        assert_eq!(lines("").expect("complete"), [""; 0]);
        assert_eq!(lines("[]").expect("complete"), [""; 0]);
    }

    #[test]
    fn a_cut_document_is_an_error() {
        for json in ["[{\"a\":1}", "{\"a\":1", "[{\"a\":\"x"] {
            assert_eq!(lines(json).expect_err(json).kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
