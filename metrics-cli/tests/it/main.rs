//! The program as its users run it: real files, real processes, exit codes and what is printed.

mod data;
mod program;
mod server;
