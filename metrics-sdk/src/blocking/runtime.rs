//! The thread that makes the requests of a blocking client.

use std::sync::{Arc, mpsc};

use tokio::runtime::{Builder, Runtime};

use crate::ClientError;

/// A runtime with one thread, which ends with the last handle.
#[derive(Debug, Clone)]
pub(super) struct Thread(Arc<Owned>);

#[derive(Debug)]
struct Owned(Option<Runtime>);

impl Thread {
    pub(super) fn start() -> Result<Self, ClientError> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("metrics-sdk").enable_all().build();
        let runtime = runtime.map_err(|error| ClientError::Thread { reason: error.to_string() })?;
        Ok(Self(Arc::new(Owned(Some(runtime)))))
    }

    /// Runs a future on the thread and waits for what it gives. Unlike the runtime's own way to wait, this one may be
    /// called from asynchronous code too.
    pub(super) fn run<F>(&self, future: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (send, receive) = mpsc::sync_channel(1);
        self.runtime().spawn(async move {
            // The caller waits until it has this.
            let _ = send.send(future.await);
        });
        receive.recv().expect("the thread runs as long as somebody holds it, and no future of ours panics")
    }

    /// In the runtime, so that tasks can be started.
    pub(super) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let _entered = self.runtime().enter();
        work()
    }

    fn runtime(&self) -> &Runtime {
        self.0.0.as_ref().expect("it is taken only when it is dropped")
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Dropped as it is, it would panic in asynchronous code.
            runtime.shutdown_background();
        }
    }
}
