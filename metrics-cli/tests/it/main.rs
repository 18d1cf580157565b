//! The program as its users run it: real files, real processes, exit codes and what is printed.

mod access;
mod canary;
mod columnar;
mod copies;
mod data;
mod disk;
mod http;
mod kill;
mod kill_sdk;
mod nab;
#[cfg(unix)]
mod operation;
mod options;
mod overload;
mod pictures;
mod program;
mod running;
mod server;
mod thinning;
mod tmpfs;
