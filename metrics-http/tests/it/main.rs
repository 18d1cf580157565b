//! The server on a real port, spoken to byte by byte.

mod access;
mod bounds;
mod harness;
mod influx;
mod otlp;
mod page;
mod reads;
mod refusals;
mod remote_write;
mod seed;
mod stop;
mod writes;
