//! The server on a real port, spoken to byte by byte.

mod access;
mod bounds;
mod harness;
mod influx;
mod page;
mod prometheus;
mod reads;
mod refusals;
mod seed;
mod stop;
mod writes;
