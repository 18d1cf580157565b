//! Mergeable summaries of a bucket of points, and the tiers that they are kept in.

mod digest;
mod partial;
mod tier;

pub(crate) use digest::Digest;
pub(crate) use partial::{Partial, earlier, spread_between};
pub(crate) use tier::Tier;
