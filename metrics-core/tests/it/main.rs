//! The engine from outside: judged by a model in plain Rust, killed as a process, refused and closed.

mod backups;
mod calendar;
mod compare;
mod damage;
mod durability;
mod ledger;
mod life;
mod log;
mod nab;
mod naive;
mod naive_tests;
mod ownership;
mod promql;
mod promql_ranges;
mod promql_refusals;
mod properties;
mod rereads;
mod retained;
mod scenario;
mod sql;
mod tiers;
mod values;
mod watching;
mod writes;
mod zones;
