//! `ingest`: files of points into the store.

use std::io::{IsTerminal, stderr};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use metrics_core::Labels;
use metrics_core::wire::Chunk;
use metrics_core::wire::csv::CsvOptions;
use tokio::sync::mpsc;

use crate::args::IngestArgs;
use crate::backend::{Backend, Upload};
use crate::ingest::{Progress, ReadOptions, Source};
use crate::output::{WrongUsage, counted, grouped, note};

/// Rows read, and points sent, at a time.
const BATCH_ROWS: usize = 10_000;
/// Batches that were read and wait to be sent.
const READ_AHEAD: usize = 4;
/// Bad lines that are shown; the others are counted.
const SHOWN_ERRORS: u64 = 20;

/// What is to be loaded: every file is open, so that a name that is wrong makes no new store.
pub(crate) struct Prepared {
    sources: Vec<Source>,
    options: ReadOptions,
    strict: bool,
}

/// Opens the files.
pub(crate) fn prepare(args: IngestArgs) -> anyhow::Result<Prepared> {
    let labels = Labels::new(args.label).map_err(|error| WrongUsage(format!("--label: {error}")))?;
    let sources = args.files.iter().map(|path| Source::open(path)).collect::<anyhow::Result<_>>()?;
    let csv = CsvOptions { name: args.name, labels };
    let options = ReadOptions { format: args.format, csv, precision: args.precision };
    Ok(Prepared { sources, options, strict: args.strict })
}

/// Loads every file. True when no line was bad.
pub(crate) async fn run(prepared: Prepared, backend: &Backend) -> anyhow::Result<bool> {
    let Prepared { sources, options, strict } = prepared;
    let progress = Progress::default();
    let mut load = Load {
        upload: Upload::new(backend),
        bar: bar(&sources),
        progress: progress.clone(),
        strict,
        bad_lines: 0,
        skipped_strings: 0,
    };
    let start = Instant::now();
    let mut result = Ok(());
    for source in sources {
        result = load.file(source, &options).await;
        if result.is_err() {
            break;
        }
    }
    // What is under way is stored or not, whatever ended the reading: only then is the count right.
    let settled = load.upload.settle().await;
    load.bar.finish_and_clear();
    report(load.upload.stored(), load.bad_lines, start.elapsed());
    if load.skipped_strings > 0 {
        note(format_args!("{} without a number skipped", counted(load.skipped_strings, "text field")));
    }
    result.and(settled)?;
    backend.after_bulk(load.upload.stored()).await?;
    Ok(load.bad_lines == 0)
}

fn report(stored: u64, bad_lines: u64, took: Duration) {
    let seconds = took.as_secs_f64();
    let rate = (stored as f64 / seconds.max(1e-9)).round() as u64;
    note(format_args!("{} stored in {seconds:.2} s: {} points/s", counted(stored, "point"), grouped(rate)));
    if bad_lines > SHOWN_ERRORS {
        note(format_args!("{} more bad lines are not shown", grouped(bad_lines - SHOWN_ERRORS)));
    }
    if bad_lines > 0 {
        note(format_args!("{} left out; the good ones are stored", counted(bad_lines, "bad line")));
    }
}

fn bar(sources: &[Source]) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let total: Option<u64> = sources.iter().map(|source| source.bytes).sum();
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total), "{wide_bar:.cyan/dim} {percent:>3}%  {msg}  {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner:.cyan} {binary_bytes}  {wide_msg}"),
    };
    bar.set_style(ProgressStyle::with_template(template).expect("the template is valid").progress_chars("━━─"));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

struct Load<'a> {
    upload: Upload<'a>,
    bar: ProgressBar,
    progress: Progress,
    strict: bool,
    bad_lines: u64,
    skipped_strings: u64,
}

impl Load<'_> {
    /// Reads on a thread of its own while earlier batches are written.
    async fn file(&mut self, source: Source, options: &ReadOptions) -> anyhow::Result<()> {
        let name = source.name.clone();
        let (sender, mut chunks) = mpsc::channel(READ_AHEAD);
        let (options, progress) = (options.clone(), self.progress.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let mut reader = source.reader(&options, progress)?;
            while let Some(chunk) = reader.next_chunk(BATCH_ROWS)? {
                if sender.blocking_send(chunk).is_err() {
                    break;
                }
            }
            anyhow::Ok(reader.skipped_strings())
        });
        while let Some(chunk) = chunks.recv().await {
            self.chunk(&name, chunk).await?;
        }
        self.skipped_strings +=
            reading.await?.map_err(|error| match error.is::<WrongUsage>() || error.to_string().contains(&name) {
                true => error,
                false => error.context(name),
            })?;
        Ok(())
    }

    async fn chunk(&mut self, name: &str, chunk: Chunk) -> anyhow::Result<()> {
        if let (true, Some(error)) = (self.strict, chunk.errors.first()) {
            self.bad_lines += 1;
            anyhow::bail!("{name}: {error} (stopped there, as --strict asks)");
        }
        for error in &chunk.errors {
            self.bad_lines += 1;
            if self.bad_lines <= SHOWN_ERRORS {
                self.bar.suspend(|| note(format_args!("{name}: {error}")));
            }
        }
        // A line may have many points.
        for batch in chunk.batch.split(BATCH_ROWS) {
            self.upload.send(batch).await?;
        }
        self.bar.set_position(self.progress.load(Ordering::Relaxed));
        self.bar.set_message(counted(self.upload.stored(), "point"));
        Ok(())
    }
}
