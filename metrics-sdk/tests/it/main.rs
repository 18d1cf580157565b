//! The client against a small server on a real port, whose answers each test writes down.

mod failing;
mod reading;
mod server;
mod writing;
