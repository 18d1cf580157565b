//! Answers in the coding that the client likes best.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};

use crate::app::App;
use crate::negotiate::Coding;
use crate::respond::Reply;

/// Answers shorter than this are not worth compressing, in bytes.
const MIN_BYTES: usize = 1_400;
/// Answers longer than this are compressed on another thread, in bytes.
const INLINE_BYTES: usize = 64 << 10;
/// zstd's own default: smaller answers than gzip at its fastest, in less time.
const ZSTD_LEVEL: i32 = 3;

/// Compresses a body that is all there, where that pays and the client takes it.
pub(crate) async fn compress(app: &Arc<App>, request: &HeaderMap, reply: &mut Reply) {
    let is_text = reply.headers().get(CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.as_bytes();
        kind.starts_with(b"text/") || kind.starts_with(b"application/")
    });
    // What is streamed goes out as it comes.
    let Some(plain) = reply.body().whole().filter(|plain| is_text && plain.len() >= MIN_BYTES).cloned() else {
        return;
    };
    reply.headers_mut().append(VARY, HeaderValue::from_static("Accept-Encoding"));
    let coding = Coding::for_answer(request);
    let Some(name) = coding.name() else { return };
    let packed = if plain.len() <= INLINE_BYTES {
        Ok(packed(coding, &plain))
    } else {
        app.coders.run(move || packed(coding, &plain)).await
    };
    // Without a free thread the answer goes out as it is.
    if let Ok(packed) = packed {
        *reply.body_mut() = packed.into();
        reply.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(name));
    }
}

fn packed(coding: Coding, plain: &[u8]) -> Bytes {
    const TAKES_ALL: &str = "a Vec takes everything";
    let room = Vec::with_capacity(plain.len() / 4);
    match coding {
        // An answer is never sent in snappy: `Coding::for_answer` does not offer it.
        Coding::Identity | Coding::Snappy => plain.to_vec(),
        Coding::Gzip => {
            let mut encoder = GzEncoder::new(room, Compression::fast());
            encoder.write_all(plain).expect(TAKES_ALL);
            encoder.finish().expect(TAKES_ALL)
        }
        // In the zlib format, as RFC 9110 says.
        Coding::Deflate => {
            let mut encoder = ZlibEncoder::new(room, Compression::fast());
            encoder.write_all(plain).expect(TAKES_ALL);
            encoder.finish().expect(TAKES_ALL)
        }
        Coding::Zstd => zstd::bulk::compress(plain, ZSTD_LEVEL).expect("the level exists and memory is there"),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inflate::inflate;
    use crate::limits::Memory;

    #[test]
    fn every_coding_is_read_back_as_it_was_and_is_smaller() {
        let plain: Vec<u8> = (0..20_000).flat_map(|number: u32| number.to_string().into_bytes()).collect();
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Zstd] {
            let wire = packed(coding, &plain);
            assert!(wire.len() < plain.len() / 2, "{coding:?} takes {}", wire.len());
            let back = inflate(coding, wire, plain.len(), &mut Memory::new(1 << 20).grant());
            assert_eq!(back.expect("intact"), plain, "{coding:?}");
        }
    }
}
