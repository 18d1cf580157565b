//! Reading files of points of any size, in bounded memory.

mod json_elements;
mod source;

pub(crate) use source::{Progress, ReadOptions, Source};
