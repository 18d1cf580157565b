//! The server on a real port, spoken to byte by byte.

mod access;
mod bounds;
mod harness;
mod page;
mod reads;
mod refusals;
mod seed;
mod stop;
mod writes;
