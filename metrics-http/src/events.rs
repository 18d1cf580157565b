//! From changed spans to server-sent events: the windows that hold them, asked for anew.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use metrics_core::encode::{self, EncodeOptions};
use metrics_core::{
    Aggregate, Change, ChangedSpan, Engine, Frame, MetricName, Per, QueryError, QueryRequest, Timestamp, WatchPosition,
    WindowGrid,
};

/// Most windows (or raw points) of a series in one event; where more changed, the client is told to ask by itself.
pub(crate) const MAX_EVENT_WINDOWS: usize = 2_000;
/// Longest text of one event, in bytes.
const MAX_EVENT_BYTES: usize = 4 << 20;
/// Events whose content is remembered, so that it is not sent again unchanged.
const REMEMBERED: usize = 64;

/// Makes the events of one stream.
pub(crate) struct Events {
    engine: Engine,
    /// What is asked; its time is set for each event.
    request: QueryRequest,
    /// None for raw points.
    grid: Option<WindowGrid>,
    options: EncodeOptions,
    sent: Sent,
}

/// The part of time that one event is about, with its metrics.
type Parts = BTreeMap<(i64, i64), Vec<MetricName>>;

impl Events {
    /// For a query whose windows are fixed: the time of the request says how wide `auto` is, and nothing else.
    pub(crate) fn new(engine: Engine, mut request: QueryRequest, options: EncodeOptions) -> Self {
        let grid = request.resolution().map(|resolution| WindowGrid::new(resolution, request.zone));
        if let Some(resolution) = request.resolution() {
            request.per = Per::Every(resolution);
        }
        request.limit = MAX_EVENT_WINDOWS + 1;
        Self { engine, request, grid, options, sent: Sent::default() }
    }

    /// The names that are asked for.
    pub(crate) fn names(&self) -> &[MetricName] {
        &self.request.names
    }

    /// The start of the window that holds an instant.
    pub(crate) fn window_start(&self, at: Timestamp) -> Timestamp {
        self.grid.map_or(at, |grid| Timestamp::clamped(grid.window_at(at.micros()).start))
    }

    /// Whether one event has room for the windows of `[from, to)`.
    pub(crate) fn fits(&self, from: i64, to: i64) -> bool {
        let width = self.request.resolution().map_or(1, metrics_core::Resolution::nominal_micros);
        self.grid.is_none() || to.saturating_sub(from) / width <= MAX_EVENT_WINDOWS as i64
    }

    /// The windows from an instant to now, as the first event of a stream.
    ///
    /// # Errors
    /// [`QueryError`] as a query meets it.
    pub(crate) fn first(&mut self, from: Timestamp, now: Timestamp, id: WatchPosition) -> Result<String, QueryError> {
        let to = self.grid.map_or(now.micros() + 1, |grid| grid.window_at(now.micros()).end);
        let names = self.request.names.clone();
        let data = self.windows(&names, from.micros(), to.max(from.micros() + 1))?;
        Ok(event(data.map_or_else(|| Event::Reset(names), Event::Windows), Some(id)))
    }

    /// What happened, as events; empty when nothing that the stream shows is another now.
    ///
    /// # Errors
    /// [`QueryError::Closed`] and [`QueryError::Store`]: the stream cannot go on.
    pub(crate) fn of(&mut self, change: Change, id: WatchPosition) -> Result<String, QueryError> {
        let mut reset = Vec::new();
        let mut events = Vec::new();
        match change {
            Change::Spans(spans) => {
                for ((from, to), names) in self.parts(spans, &mut reset) {
                    match self.windows(&names, from, to) {
                        Ok(Some(data)) if self.sent.is_new(&names, (from, to), &data) => {
                            events.push(Event::Windows(data));
                        }
                        Ok(Some(_)) => {}
                        Err(error @ (QueryError::Closed | QueryError::Store(_))) => return Err(error),
                        // Past a bound of queries: the client is told which one when it asks by itself.
                        Ok(None) | Err(_) => reset.extend(names),
                    }
                }
            }
            _ => reset = self.request.names.clone(),
        }
        if !reset.is_empty() {
            reset.sort_unstable();
            reset.dedup();
            events.push(Event::Reset(reset));
        }
        // Only the last one moves the client's place: it is not to skip what it did not get.
        let last = events.len().saturating_sub(1);
        Ok(events.into_iter().enumerate().map(|(at, one)| event(one, (at == last).then_some(id))).collect())
    }

    /// The changed windows, those of one metric apart from each other; metrics whose windows are too many go to `reset`.
    fn parts(&self, spans: Vec<ChangedSpan>, reset: &mut Vec<MetricName>) -> Parts {
        let mut parts = Parts::new();
        for of_name in spans.chunk_by(|a, b| a.name == b.name) {
            let mut merged: Vec<(i64, i64)> = Vec::new();
            for (from, to) in of_name.iter().map(|span| self.aligned(span.from.micros(), span.to.micros())) {
                match merged.last_mut() {
                    Some(last) if from <= last.1 => last.1 = last.1.max(to),
                    _ => merged.push((from, to)),
                }
            }
            let name = &of_name[0].name;
            if merged.iter().all(|&(from, to)| self.fits(from, to)) {
                merged.into_iter().for_each(|part| parts.entry(part).or_default().push(name.clone()));
            } else {
                reset.push(name.clone());
            }
        }
        parts
    }

    fn counts_steps(&self) -> bool {
        let aggregates = &self.request.aggregates;
        self.grid.is_some() && aggregates.iter().any(|a| matches!(a, Aggregate::Rate | Aggregate::Increase))
    }

    /// The whole windows that a change touches: with counters also the next one, whose first step begins before it.
    fn aligned(&self, from: i64, to: i64) -> (i64, i64) {
        let Some(grid) = self.grid else { return (from, to) };
        let last = grid.window_at(to.saturating_sub(1).max(from));
        let end = if self.counts_steps() { grid.window_at(last.end).end } else { last.end };
        (grid.window_at(from).start, end)
    }

    /// The data of an event; none when it would be too large.
    fn windows(&self, names: &[MetricName], from: i64, to: i64) -> Result<Option<String>, QueryError> {
        let mut request = self.request.clone();
        request.names = names.to_vec();
        request.to = Timestamp::clamped(to);
        let asked = Timestamp::clamped(from);
        // A counter's first step in a window leads there from the one before it.
        let before = self.grid.filter(|_| self.counts_steps()).map(|grid| grid.window_at(from.saturating_sub(1)).start);
        request.from = before.map_or(asked, Timestamp::clamped);
        let mut frame = self.engine.query(&request)?;
        cut(&mut frame, asked);
        if frame.series.iter().any(|series| series.time.len() > MAX_EVENT_WINDOWS) {
            return Ok(None);
        }
        let body = encode::json::frame(&frame, &self.options);
        let body = String::from_utf8(body).expect("JSON is UTF-8");
        let rest = body.strip_prefix('{').expect("a frame is an object");
        let data = format!("{{\"names\":{},{rest}", list(names));
        Ok((data.len() <= MAX_EVENT_BYTES).then_some(data))
    }
}

/// Takes the windows before an instant away.
fn cut(frame: &mut Frame, from: Timestamp) {
    frame.from = from;
    for series in &mut frame.series {
        let before = series.time.partition_point(|time| *time < from);
        series.time.drain(..before);
        series.columns.iter_mut().for_each(|column| drop(column.values.drain(..before)));
    }
    frame.series.retain(|series| !series.time.is_empty());
}

/// One event.
enum Event {
    /// The windows of some metrics in a part of time, as JSON.
    Windows(String),
    /// Anything of these metrics may have changed.
    Reset(Vec<MetricName>),
}

/// The text of an event (html.spec.whatwg.org, "Server-sent events"); its data has no line breaks.
fn event(event: Event, id: Option<WatchPosition>) -> String {
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    match event {
        Event::Windows(data) => format!("{id}event: windows\ndata: {data}\n\n"),
        Event::Reset(names) => format!("{id}event: reset\ndata: {{\"names\":{}}}\n\n", list(&names)),
    }
}

fn list(names: &[MetricName]) -> String {
    let names: Vec<&str> = names.iter().map(MetricName::as_str).collect();
    serde_json::to_string(&names).expect("texts are JSON")
}

/// What was sent lately, as hashes.
#[derive(Default)]
struct Sent(VecDeque<(u64, u64)>);

impl Sent {
    /// Whether the last event of these windows said something else.
    fn is_new(&mut self, names: &[MetricName], part: (i64, i64), data: &str) -> bool {
        let (key, content) = (hash(&(names, part)), hash(&data));
        let known = self.0.iter().position(|(known, _)| *known == key).and_then(|at| self.0.remove(at));
        self.0.push_back((key, content));
        if self.0.len() > REMEMBERED {
            self.0.pop_front();
        }
        known.is_none_or(|(_, before)| before != content)
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_windows_are_sent_again_only_when_they_differ() {
        let mut sent = Sent::default();
        let names = [MetricName::new("a").expect("valid")];
        assert!(sent.is_new(&names, (0, 1), "x"));
        assert!(!sent.is_new(&names, (0, 1), "x"));
        assert!(sent.is_new(&names, (1, 2), "x"));
        assert!(sent.is_new(&names, (0, 1), "y"));
        assert!((0..2 * REMEMBERED as i64).all(|at| sent.is_new(&names, (at, at), "z")));
        assert_eq!(sent.0.len(), REMEMBERED);
    }

    #[test]
    fn a_name_with_a_line_break_would_not_end_an_event() {
        let names = vec![MetricName::new("a\u{2028}\"b").expect("valid")];
        assert_eq!(event(Event::Reset(names), None), "event: reset\ndata: {\"names\":[\"a\u{2028}\\\"b\"]}\n\n");
    }
}
