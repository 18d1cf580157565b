//! The server on a real port, spoken to byte by byte.

mod access;
mod backups;
mod bounds;
mod columnar;
mod harness;
mod influx;
mod limits;
mod otlp;
mod page;
mod pictures;
mod prometheus;
mod reads;
mod ready;
mod refusals;
mod remote_write;
mod requests;
mod seed;
mod sql;
mod stop;
mod stream;
mod tls;
mod tokens;
mod writes;
