//! The client against a small server on a real port, whose answers each test writes down.

mod batching;
mod blocking;
mod failing;
mod reading;
mod server;
mod spilling;
mod store;
mod types;
mod writing;
