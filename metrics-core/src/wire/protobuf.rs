//! Protobuf (protobuf.dev/programming-guides/encoding) read in place: one pass over the bytes, nothing built, every
//! text and message handed out as a slice. A body of a few megabytes can hold millions of empty messages, so that
//! building structures from it would take many times its size.

/// What is no protobuf, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProtobufError {
    /// Bytes of the body before it.
    at: usize,
    found: &'static str,
}

impl ProtobufError {
    pub(super) fn describe(&self) -> String {
        format!("no protobuf message of the kind that is expected here: {} at byte {}", self.found, self.at)
    }
}

/// The fields of a message that are not read yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the message starts in the body.
    base: usize,
}

/// A field: its number and what stands in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    /// The whole field, key and value, as it is spelled.
    pub(super) raw: &'a [u8],
    value: Value<'a>,
    /// Where its value starts in the body.
    at: usize,
}

#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32,
    Bytes(&'a [u8]),
}

impl<'a> Message<'a> {
    /// A body as a message.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, base: 0 }
    }

    fn error(&self, found: &'static str) -> ProtobufError {
        ProtobufError { at: self.base + self.at, found }
    }

    /// The next field; none at the end.
    ///
    /// # Errors
    /// [`ProtobufError`] when there is no whole field.
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, ProtobufError> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let start = self.at;
        let key = self.varint()?;
        if key >> 3 == 0 {
            return Err(ProtobufError { at: self.base + start, found: "a field of number 0" });
        }
        let mut at = self.base + self.at;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.fixed64()?),
            2 => {
                let length = self.varint()?;
                at = self.base + self.at;
                Value::Bytes(self.take(usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            5 => {
                self.take(4)?;
                Value::Fixed32
            }
            _ => return Err(ProtobufError { at: self.base + start, found: "a group or an unknown kind of field" }),
        };
        Ok(Some(Field { number: key >> 3, raw: &self.bytes[start..self.at], value, at }))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ProtobufError> {
        let taken = self.bytes[self.at..].get(..length).ok_or_else(|| self.error("a field that is cut off"))?;
        self.at += length;
        Ok(taken)
    }

    fn fixed64(&mut self) -> Result<u64, ProtobufError> {
        let bytes = self.take(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().expect("eight bytes were taken")))
    }

    fn varint(&mut self) -> Result<u64, ProtobufError> {
        let mut number = 0;
        for (place, byte) in self.bytes[self.at..].iter().take(10).enumerate() {
            number |= u64::from(byte & 0x7F) << (7 * place);
            if byte & 0x80 == 0 {
                self.at += place + 1;
                return Ok(number);
            }
        }
        Err(self.error("a number without an end"))
    }
}

impl<'a> Field<'a> {
    fn error(&self, found: &'static str) -> ProtobufError {
        ProtobufError { at: self.at, found }
    }

    /// The bytes of a text, a byte string or a packed list.
    pub(super) fn bytes(&self) -> Result<&'a [u8], ProtobufError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.error("a number in place of a text or a message")),
        }
    }

    /// The message that stands in it.
    pub(super) fn message(&self) -> Result<Message<'a>, ProtobufError> {
        Ok(Message { bytes: self.bytes()?, at: 0, base: self.at })
    }

    /// A text.
    pub(super) fn text(&self) -> Result<&'a str, ProtobufError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| self.error("a text that is no UTF-8"))
    }

    /// A number of variable length: `uint64`, `int64` (as its two's complement), `bool`, an enum.
    pub(super) fn varint(&self) -> Result<u64, ProtobufError> {
        match self.value {
            Value::Varint(number) => Ok(number),
            _ => Err(self.error("something else in place of a number of variable length")),
        }
    }

    /// A number of eight bytes.
    pub(super) fn fixed64(&self) -> Result<u64, ProtobufError> {
        match self.value {
            Value::Fixed64(number) => Ok(number),
            _ => Err(self.error("something else in place of a number of eight bytes")),
        }
    }

    /// A floating-point number of eight bytes.
    pub(super) fn double(&self) -> Result<f64, ProtobufError> {
        self.fixed64().map(f64::from_bits)
    }

    /// The numbers of eight bytes in a list, packed or one of many such fields.
    pub(super) fn each_fixed64(&self, mut each: impl FnMut(u64)) -> Result<(), ProtobufError> {
        let Value::Bytes(packed) = self.value else { return self.fixed64().map(each) };
        let (numbers, rest) = packed.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(self.error("a list of numbers that is cut off"));
        }
        numbers.iter().for_each(|number| each(u64::from_le_bytes(*number)));
        Ok(())
    }
}

/// Appends a number of variable length.
fn push_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a field that holds a number of variable length.
pub(super) fn push_number(out: &mut Vec<u8>, field: u64, number: u64) {
    push_varint(out, field << 3);
    push_varint(out, number);
}

/// Appends a field that holds a text or a message.
pub(super) fn push_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    push_varint(out, field << 3 | 2);
    push_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &[u8]) -> Result<Vec<Field<'_>>, ProtobufError> {
        let mut message = Message::new(bytes);
        std::iter::from_fn(|| message.next().transpose()).collect()
    }

    #[test]
    fn fields_of_every_kind_are_read_and_told_by_their_place() {
        let mut body = Vec::new();
        push_number(&mut body, 1, u64::MAX);
        push_bytes(&mut body, 16, b"text");
        body.extend_from_slice(&[0x19, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0x25, 1, 2, 3, 4]);
        let found = fields(&body).expect("whole");
        assert_eq!(found.iter().map(|field| field.number).collect::<Vec<_>>(), [1, 16, 3, 4]);
        assert_eq!((found[0].varint(), found[1].text(), found[2].double()), (Ok(u64::MAX), Ok("text"), Ok(1.0)));
        assert_eq!(found.iter().map(|field| field.raw).collect::<Vec<_>>().concat(), body);
        let error = found[1].fixed64().expect_err("a text");
        assert_eq!(
            error.describe(),
            "no protobuf message of the kind that is expected here: \
             something else in place of a number of eight bytes at byte 14"
        );
    }

    #[test]
    fn what_is_cut_off_or_malformed_is_refused_where_it_stands() {
        for (bytes, at, found) in [
            (&[0x0A, 5, 1, 2][..], 2, "a field that is cut off"),
            (&[0x09, 1, 2, 3], 1, "a field that is cut off"),
            (&[0x08, 0x80, 0x80], 1, "a number without an end"),
            (&[0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], 1, "a number without an end"),
            (&[0x08, 1, 0x0B], 2, "a group or an unknown kind of field"),
            (&[0x02, 0], 0, "a field of number 0"),
            (&[0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], 11, "a field that is cut off"),
        ] {
            assert_eq!(fields(bytes).map(|_| ()), Err(ProtobufError { at, found }), "{bytes:?}");
        }
        let inner = fields(&[0x0A, 2, 0x0A, 9]).expect("whole outside")[0].message().expect("bytes").next();
        assert_eq!(inner.map(|_| ()), Err(ProtobufError { at: 4, found: "a field that is cut off" }));
    }

    #[test]
    fn lists_are_taken_packed_and_one_by_one() {
        let mut body = vec![0x0A, 16];
        [1_u64, 2].iter().for_each(|number| body.extend_from_slice(&number.to_le_bytes()));
        body.push(0x09);
        body.extend_from_slice(&3_u64.to_le_bytes());
        let mut numbers = Vec::new();
        for field in fields(&body).expect("whole") {
            field.each_fixed64(|number| numbers.push(number)).expect("a list");
        }
        assert_eq!(numbers, [1, 2, 3]);
        assert!(fields(&[0x0A, 3, 1, 2, 3]).expect("whole")[0].each_fixed64(|_| ()).is_err());
    }
}
