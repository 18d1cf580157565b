//! The server on a real port, spoken to byte by byte.

mod access;
mod bounds;
mod columnar;
mod harness;
mod influx;
mod page;
mod pictures;
mod reads;
mod refusals;
mod seed;
mod sql;
mod stop;
mod stream;
mod writes;
