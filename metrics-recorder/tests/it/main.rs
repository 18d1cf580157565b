//! The recorder as a program uses it: through the facade's macros, with a sink that shows what is written.

#[cfg(feature = "engine")]
mod engine;
#[cfg(feature = "sdk")]
mod server;
mod written;
