//! One file a command.

pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod collect;
pub(crate) mod delete;
pub(crate) mod docs;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod ingest;
pub(crate) mod list;
pub(crate) mod plot;
pub(crate) mod post;
pub(crate) mod query;
pub(crate) mod reload;
pub(crate) mod restore;
pub(crate) mod retain;
pub(crate) mod serve;
pub(crate) mod simulate;
pub(crate) mod span;
pub(crate) mod sql;
pub(crate) mod stats;
pub(crate) mod token;
pub(crate) mod top;
