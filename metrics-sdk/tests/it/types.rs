//! What every type of the interface can be relied on for.

use std::error::Error;
use std::fmt::Debug;

use metrics_sdk::{
    Client, ClientBuilder, ClientError, Counters, ExportSelection, IdempotencyKey, Latest, Receipt, Rejection, Report,
    Retry, Spill, SpillError, SqlFormat, WhenFull, Writer, WriterBuilder, WriterError, blocking,
};

fn shared<T: Debug + Clone + Send + Sync + 'static>() {}

fn error<T: Error + Clone + Send + Sync + 'static>() {}

#[test]
fn everything_can_be_cloned_shown_and_shared_between_threads() {
    shared::<Client>();
    shared::<ClientBuilder>();
    shared::<Writer>();
    shared::<WriterBuilder>();
    shared::<blocking::Client>();
    shared::<blocking::Writer>();
    shared::<ExportSelection>();
    shared::<IdempotencyKey>();
    shared::<(Receipt, Latest, Counters, Report, Rejection)>();
    shared::<(Retry, Spill, SqlFormat, WhenFull)>();
}

#[test]
fn errors_can_be_handed_on_to_other_threads() {
    error::<ClientError>();
    error::<WriterError>();
    error::<SpillError>();
}

#[test]
fn what_a_call_awaits_can_be_spawned() {
    fn spawned<T: Send>(_: impl FnOnce(Client, Writer) -> T) {}
    spawned(|client, writer| async move {
        let batch = metrics_sdk::Batch::new();
        client.write(&batch).await?;
        let mut bytes = 0;
        let count = |part: &[u8]| {
            bytes += part.len();
            Ok(())
        };
        client.export_parquet(&ExportSelection::default(), count).await?;
        writer.push_batch(batch).await.expect("taken");
        writer.flush().await;
        writer.close().await;
        Ok::<_, ClientError>(bytes)
    });
}
