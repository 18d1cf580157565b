//! Decompression that stops at a bound.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::body::BodyError;
use crate::limits::Grant;
use crate::negotiate::Coding;

/// Bytes that are decompressed at a time.
const STEP_BYTES: usize = 64 << 10;
/// Largest window that a zstd frame may ask for, as a power of two: 32 MiB, what `zstd -20` uses.
/// The format allows 3.75 TiB, and a frame of a few bytes may ask for it.
const ZSTD_WINDOW_LOG_MAX: u32 = 25;

/// The body in plain. It and the compressed bytes are covered by the grant when it returns.
///
/// # Errors
/// [`BodyError::InflatedTooLarge`] as soon as the output passes the limit, [`BodyError::Damaged`] when the bytes are
/// not what the coding says, [`BodyError::Exhausted`] when the grant cannot grow.
pub(crate) fn inflate(coding: Coding, wire: Bytes, limit: usize, grant: &mut Grant) -> Result<Bytes, BodyError> {
    let damaged = |error: io::Error| BodyError::Damaged { coding, reason: error.to_string() };
    match coding {
        Coding::Identity if wire.len() > limit => Err(BodyError::InflatedTooLarge { limit }),
        Coding::Identity => Ok(wire),
        Coding::Gzip => read_bounded(MultiGzDecoder::new(&wire[..]), coding, wire.len(), limit, grant),
        Coding::Deflate if has_zlib_header(&wire) => {
            read_bounded(ZlibDecoder::new(&wire[..]), coding, wire.len(), limit, grant)
        }
        // RFC 9110 says zlib; some clients send the bare stream, and every browser takes both.
        Coding::Deflate => read_bounded(DeflateDecoder::new(&wire[..]), coding, wire.len(), limit, grant),
        Coding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(&wire[..]).map_err(damaged)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(damaged)?;
            read_bounded(decoder, coding, wire.len(), limit, grant)
        }
    }
}

fn read_bounded(
    mut source: impl Read,
    coding: Coding,
    wire_bytes: usize,
    limit: usize,
    grant: &mut Grant,
) -> Result<Bytes, BodyError> {
    let mut plain = Vec::new();
    let mut step = vec![0; STEP_BYTES];
    loop {
        let count = match source.read(&mut step) {
            Ok(0) => return Ok(plain.into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(BodyError::Damaged { coding, reason: error.to_string() }),
        };
        if plain.len() + count > limit {
            return Err(BodyError::InflatedTooLarge { limit });
        }
        grant.cover(wire_bytes + plain.len() + count)?;
        plain.extend_from_slice(&step[..count]);
    }
}

/// RFC 1950: method 8 in the low bits, and the first two bytes a multiple of 31.
fn has_zlib_header(bytes: &[u8]) -> bool {
    matches!(bytes, [first, second, ..] if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;
    use crate::limits::Memory;

    const MIB: usize = 1 << 20;

    fn plain(coding: Coding, wire: Vec<u8>, limit: usize) -> Result<Bytes, BodyError> {
        inflate(coding, wire.into(), limit, &mut Memory::new(64 * MIB).grant())
    }

    fn compressed(text: &[u8]) -> [(Coding, Vec<u8>); 4] {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::default());
        for encoder in [&mut gzip as &mut dyn Write, &mut zlib, &mut bare] {
            encoder.write_all(text).expect("a Vec takes everything");
        }
        [
            (Coding::Gzip, gzip.finish().expect("a Vec takes everything")),
            (Coding::Deflate, zlib.finish().expect("a Vec takes everything")),
            (Coding::Deflate, bare.finish().expect("a Vec takes everything")),
            (Coding::Zstd, zstd::encode_all(text, 3).expect("a Vec takes everything")),
        ]
    }

    #[test]
    fn every_coding_gives_the_bytes_that_went_in() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(|number| number.wrapping_mul(number).to_le_bytes()).collect();
        for (coding, wire) in compressed(&text) {
            assert_eq!(plain(coding, wire, MIB).expect("intact"), text, "{coding:?}");
        }
        assert_eq!(plain(Coding::Identity, text.clone(), MIB).expect("intact"), text);
    }

    #[test]
    fn output_beyond_the_limit_is_refused_and_not_cut() {
        for (coding, wire) in compressed(&vec![b' '; 8 * MIB]) {
            assert!(wire.len() < 10_000, "{coding:?} makes a bomb");
            let result = plain(coding, wire.clone(), MIB);
            assert!(matches!(result, Err(BodyError::InflatedTooLarge { limit: MIB })), "{coding:?}");
            assert_eq!(plain(coding, wire, 8 * MIB).expect("just fits").len(), 8 * MIB);
        }
        assert!(matches!(plain(Coding::Identity, vec![0; 11], 10), Err(BodyError::InflatedTooLarge { limit: 10 })));
    }

    #[test]
    fn cut_or_damaged_input_is_an_error() {
        let text: Vec<u8> = (0..20_000_u32).flat_map(|number| number.wrapping_mul(number).to_le_bytes()).collect();
        for (coding, wire) in compressed(&text) {
            let half = wire[..wire.len() / 2].to_vec();
            assert!(matches!(plain(coding, half, MIB), Err(BodyError::Damaged { .. })), "{coding:?}");
        }
        for coding in [Coding::Gzip, Coding::Zstd] {
            let result = plain(coding, b"[{\"name\":\"a\"}]".to_vec(), MIB);
            assert!(matches!(result, Err(BodyError::Damaged { .. })), "{coding:?}");
        }
    }

    #[test]
    fn a_zstd_frame_cannot_ask_for_a_huge_window() {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).expect("level 1 exists");
        encoder.window_log(27).expect("the format has it");
        encoder.write_all(b"tiny").expect("a Vec takes everything");
        encoder.flush().expect("a Vec takes everything");
        let wire = encoder.finish().expect("a Vec takes everything");
        assert!(matches!(plain(Coding::Zstd, wire, MIB), Err(BodyError::Damaged { .. })));
    }

    #[test]
    fn all_bodies_together_stay_within_their_memory() {
        let memory = Memory::new(4 * MIB);
        let mut other = memory.grant();
        other.cover(3 * MIB).expect("free");
        let [(coding, wire), ..] = compressed(&vec![b' '; 2 * MIB]);
        let result = inflate(coding, wire.clone().into(), 32 * MIB, &mut memory.grant());
        assert!(matches!(result, Err(BodyError::Exhausted(_))));
        drop(other);
        assert!(inflate(coding, wire.into(), 32 * MIB, &mut memory.grant()).is_ok());
    }
}
