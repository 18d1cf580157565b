//! For fuzz targets alone: what reads a client's bytes before anything else does.

use bytes::Bytes;

use crate::limits::Memory;
use crate::negotiate::Coding;

/// A body in plain, at most so long, as each of the codings reads it that does not refuse it.
pub fn inflate(wire: &[u8], limit: usize) -> Vec<Bytes> {
    let codings = [Coding::Identity, Coding::Gzip, Coding::Deflate, Coding::Zstd, Coding::Snappy];
    let read = |coding| {
        let memory = Memory::new(4 * limit);
        crate::inflate::inflate(coding, Bytes::copy_from_slice(wire), limit, &mut memory.grant()).ok()
    };
    codings.into_iter().filter_map(read).collect()
}
