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

/// Most bytes that one of snappy's stands for, rounded up: a copy of three bytes gives 64.
const SNAPPY_RATIO_MAX: usize = 22;

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
        Coding::Snappy => unsnap(&wire, limit, grant),
    }
}

/// The block format says its length first: nothing is allocated for one over the limit, nor for one that such bytes
/// cannot have.
fn unsnap(wire: &[u8], limit: usize, grant: &mut Grant) -> Result<Bytes, BodyError> {
    let damaged = |reason: String| BodyError::Damaged { coding: Coding::Snappy, reason };
    if wire.is_empty() {
        return Ok(Bytes::new());
    }
    let length = snap::raw::decompress_len(wire).map_err(|error| damaged(error.to_string()))?;
    if length > limit {
        return Err(BodyError::InflatedTooLarge { limit });
    }
    if length > wire.len().saturating_mul(SNAPPY_RATIO_MAX) {
        return Err(damaged(format!("{} bytes cannot hold {length}", wire.len())));
    }
    grant.cover(wire.len() + length)?;
    let plain = snap::raw::Decoder::new().decompress_vec(wire).map_err(|error| damaged(error.to_string()))?;
    Ok(plain.into())
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
    use proptest::prelude::*;

    use super::*;
    use crate::limits::Memory;

    const MIB: usize = 1 << 20;

    fn plain(coding: Coding, wire: Vec<u8>, limit: usize) -> Result<Bytes, BodyError> {
        inflate(coding, wire.into(), limit, &mut Memory::new(64 * MIB).grant())
    }

    fn compressed(text: &[u8]) -> [(Coding, Vec<u8>); 5] {
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
            (Coding::Snappy, snap::raw::Encoder::new().compress_vec(text).expect("short enough")),
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
            assert!(
                wire.len() < if coding == Coding::Snappy { 8 * MIB / 20 } else { 10_000 },
                "{coding:?} makes a bomb"
            );
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
        for coding in [Coding::Gzip, Coding::Zstd, Coding::Snappy] {
            let result = plain(coding, b"[{\"name\":\"a\"}]".to_vec(), MIB);
            assert!(matches!(result, Err(BodyError::Damaged { .. })), "{coding:?}");
        }
    }

    #[test]
    fn a_snappy_block_that_lies_about_its_length_takes_no_memory() {
        let memory = Memory::new(64 * MIB);
        let claim = |length: u64| {
            let mut wire = Vec::new();
            let mut rest = length;
            while rest >= 0x80 {
                wire.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            wire.push(rest as u8);
            wire.extend_from_slice(b"\x0cabcd");
            inflate(Coding::Snappy, wire.into(), 32 * MIB, &mut memory.grant())
        };
        assert_eq!(claim(4).expect("true"), b"abcd"[..]);
        for length in [0, 3, 5, 200, 32 * MIB as u64] {
            assert!(matches!(claim(length), Err(BodyError::Damaged { coding: Coding::Snappy, .. })), "{length}");
        }
        for length in [(32 * MIB + 1) as u64, u64::from(u32::MAX)] {
            assert!(matches!(claim(length), Err(BodyError::InflatedTooLarge { .. })), "{length}");
        }
        assert!(matches!(claim(u64::MAX), Err(BodyError::Damaged { .. })), "no length at all");
        let nothing = inflate(Coding::Snappy, Bytes::new(), MIB, &mut memory.grant()).expect("empty");
        assert!(nothing.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: cases(200), ..ProptestConfig::default() })]

        #[test]
        fn prop_no_bytes_make_a_decoder_panic_or_pass_its_limit(
            text in prop::collection::vec(prop::sample::select(&b"aab\0\xFF"[..]), 0..400),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            for (coding, mut wire) in compressed(&text) {
                for (at, byte) in &changes {
                    let at = at.index(wire.len());
                    wire[at] = *byte;
                }
                if let Ok(plain) = plain(coding, wire, 300) {
                    prop_assert!(plain.len() <= 300);
                    prop_assert!(!changes.is_empty() || plain == text);
                }
            }
        }
    }

    /// `PROPTEST_CASES` where it is set.
    fn cases(usual: u32) -> u32 {
        std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
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
