//! The body of a write.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use metrics_core::Batch;
use metrics_core::wire::json;

use crate::ClientBuilder;

/// Points as JSON, which keeps times to the microsecond and values to the last bit; compressed where that pays.
///
/// JSON, because the server stores a body of it as a whole or not at all. Metric names and labels repeat from point to
/// point, which gzip at its fastest level takes down to about a tenth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    pub(crate) gzip: bool,
}

impl Body {
    pub(crate) fn of(batch: &Batch, gzip: bool) -> Self {
        let json = json::encode(batch);
        if !gzip || json.len() < ClientBuilder::MIN_GZIP_BYTES {
            return Self { bytes: json.into(), gzip: false };
        }
        let mut encoder = GzEncoder::new(Vec::with_capacity(json.len() / 6), Compression::fast());
        let packed = encoder.write_all(&json).and_then(|()| encoder.finish());
        Self { bytes: packed.expect("writing to memory does not fail").into(), gzip: true }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use metrics_core::{Point, Timestamp};

    use super::*;

    #[test]
    fn a_compressed_body_is_the_same_points() {
        let batch: Batch = (0..100)
            .map(|i| {
                let value = f64::from(i) / 3.0 + f64::MIN_POSITIVE;
                Point::new("load", Timestamp::clamped(i64::from(i) * 1_234_567), value).expect("valid")
            })
            .collect();
        let (plain, packed) = (Body::of(&batch, false), Body::of(&batch, true));
        assert!(packed.gzip && !plain.gzip && packed.bytes.len() * 4 < plain.bytes.len(), "{}", packed.bytes.len());
        let mut json = Vec::new();
        GzDecoder::new(&packed.bytes[..]).read_to_end(&mut json).expect("gzip");
        assert_eq!(json, plain.bytes);
        let back = json::decode(&json, Timestamp::EPOCH).expect("points");
        assert!(back.points().eq(batch.points()), "to the last bit");
    }

    #[test]
    fn a_small_body_is_left_as_it_is() {
        let point = Point::new("load", Timestamp::EPOCH, 1.0).expect("valid");
        assert!(!Body::of(&point.into(), true).gzip);
    }
}
