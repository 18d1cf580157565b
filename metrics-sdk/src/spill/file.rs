//! One batch as a file: a line that names the format, a line of JSON that describes the batch, the body of its request.

use bytes::Bytes;
use metrics_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::IdempotencyKey;
use crate::body::Body;

/// First line of every file; another layout takes another number.
const FORMAT: &[u8] = b"metrics-sdk spill 1\n";
/// Longest first two lines together.
pub(super) const MAX_HEAD_BYTES: usize = 1 << 10;
/// Largest body: more than any batch of a writer has.
const MAX_BODY_BYTES: usize = 64 << 20;

/// A batch as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packed {
    pub(crate) key: IdempotencyKey,
    pub(crate) created: Timestamp,
    /// Since when it is unknown whether the server has stored it.
    pub(crate) doubt: Option<Timestamp>,
    pub(crate) points: usize,
    pub(crate) body: Body,
}

/// The second line: what is known of a batch without its body.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    key: String,
    created_us: i64,
    doubt_us: Option<i64>,
    pub(super) points: usize,
    gzip: bool,
    body_bytes: usize,
    /// CRC-32 of the body, then of the other fields.
    crc32: u32,
}

impl Head {
    fn checksum(&self, body: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(body);
        let Self { key, created_us, doubt_us, points, gzip, body_bytes, .. } = self;
        hasher.update(format!("{key} {created_us} {doubt_us:?} {points} {gzip} {body_bytes}").as_bytes());
        hasher.finalize()
    }

    pub(super) fn created(&self) -> Timestamp {
        Timestamp::clamped(self.created_us)
    }

    pub(super) fn doubt(&self) -> Option<Timestamp> {
        self.doubt_us.map(Timestamp::clamped)
    }
}

impl Packed {
    /// The file of the batch.
    pub(crate) fn file(&self) -> Vec<u8> {
        let mut head = Head {
            key: self.key.as_str().to_owned(),
            created_us: self.created.micros(),
            doubt_us: self.doubt.map(Timestamp::micros),
            points: self.points,
            gzip: self.body.gzip,
            body_bytes: self.body.bytes.len(),
            crc32: 0,
        };
        head.crc32 = head.checksum(&self.body.bytes);
        let mut file = FORMAT.to_vec();
        serde_json::to_writer(&mut file, &head).expect("a head is numbers and visible ASCII");
        file.push(b'\n');
        file.extend_from_slice(&self.body.bytes);
        file
    }
}

/// The head of a file of which at least [`MAX_HEAD_BYTES`] are given, and how many bytes it takes.
pub(super) fn head(start: &[u8]) -> Result<(Head, usize), &'static str> {
    let line = start.strip_prefix(FORMAT).ok_or("it does not begin as a spilled batch does")?;
    let line = &line[..line.len().min(MAX_HEAD_BYTES - FORMAT.len())];
    let end = line.iter().position(|byte| *byte == b'\n').ok_or("its head has no end")?;
    let head: Head = serde_json::from_slice(&line[..end]).map_err(|_| "its head cannot be read")?;
    if head.body_bytes > MAX_BODY_BYTES {
        return Err("its body is longer than any batch");
    }
    Ok((head, FORMAT.len() + end + 1))
}

/// The batch of a file, if all of it is there.
pub(super) fn decode(mut file: Vec<u8>) -> Result<Packed, &'static str> {
    let (head, start) = head(&file)?;
    let body = Bytes::from(file.split_off(start));
    if body.len() != head.body_bytes {
        return Err("its body is shorter or longer than its head says");
    }
    if head.checksum(&body) != head.crc32 {
        return Err("its checksum is wrong");
    }
    Ok(Packed {
        created: head.created(),
        doubt: head.doubt(),
        key: IdempotencyKey::new(&head.key).map_err(|_| "its key is none")?,
        points: head.points,
        body: Body { bytes: body, gzip: head.gzip },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Packed {
        Packed {
            key: IdempotencyKey::random(),
            created: Timestamp::clamped(1_706_874_182_000_001),
            doubt: Some(Timestamp::clamped(-1)),
            points: 3,
            body: Body { bytes: Bytes::from_static(b"[1,\n2]"), gzip: false },
        }
    }

    #[test]
    fn a_batch_is_read_as_it_was_written() {
        let written = batch();
        assert_eq!(decode(written.file()), Ok(written));
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_noticed() {
        let whole = batch().file();
        for end in 0..whole.len() {
            assert!(decode(whole[..end].to_vec()).is_err(), "cut at {end}");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            let read = decode(damaged);
            assert!(read.is_err(), "byte {at} changed: {read:?}");
        }
    }

    #[test]
    fn a_head_that_never_ends_or_lies_is_refused() {
        let endless = [FORMAT, &vec![b'{'; 10_000]].concat();
        assert_eq!(decode(endless).expect_err("no end"), "its head has no end");
        let lying = br#"metrics-sdk spill 1
{"key":"k","created_us":0,"doubt_us":null,"points":1,"gzip":false,"body_bytes":99999999999,"crc32":0}
"#;
        assert_eq!(decode(lying.to_vec()).expect_err("a lie"), "its body is longer than any batch");
    }
}
