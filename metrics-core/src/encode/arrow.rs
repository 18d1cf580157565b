//! Frames as an Apache Arrow IPC stream.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Builder, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, TimeUnit};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;

use super::{EncodeOptions, EpochUnit};
use crate::model::{Batch, ColumnKind, Exactness, Frame, FrameSeries};
use crate::wire::table::column_of_label;

/// Rows of one record batch.
const BATCH_ROWS: usize = 65_536;
/// Why writing cannot fail: the columns are made for their schema, and memory takes everything.
const TAKES_ALL: &str = "the columns fit their schema, and a Vec takes everything";

/// Writes a frame, series by series, as the columns `time`, `name`, one for each label, one for each aggregate
/// (`value` for points).
///
/// `time` is a timestamp in UTC to the microsecond, or an integer where [`EncodeOptions::epoch`] asks for one. `name`
/// and the labels are dictionaries of texts; a series without a label has null there. The other columns are floats,
/// null where a window has no value; the metadata of a column of quantiles say whether they are `exact` or from a
/// `sketch`. A label named like another column has the column `label.<name>`. The schema's metadata have `from`, `to`,
/// `per` and `tz`.
pub fn frame(frame: &Frame, options: &EncodeOptions) -> Vec<u8> {
    let kinds = frame.kinds();
    let labels: BTreeSet<&str> =
        frame.series.iter().flat_map(|series| series.labels.iter().map(|(name, _)| name)).collect();
    let names: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    let (time_type, times) = times(frame, options.epoch);
    let mut fields = vec![Field::new("time", time_type, false), text_field("name".into(), false)];
    let mut columns = vec![times, texts(frame, |series| Some(series.name.as_str()))];
    for label in labels {
        let column = column_of_label(label, |name| names.iter().any(|taken| taken == name));
        fields.push(text_field(column, true));
        columns.push(texts(frame, |series| series.labels.get(label)));
    }
    for (kind, name) in kinds.iter().zip(names) {
        fields.push(value_field(frame, *kind, name));
        columns.push(values(frame, *kind));
    }
    let about = [
        ("from", frame.from.to_string()),
        ("to", frame.to.to_string()),
        ("per", frame.per.clone()),
        ("tz", frame.zone.to_string()),
    ];
    let about = about.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<HashMap<_, _>>();
    stream(Schema::new_with_metadata(fields, about), columns)
}

/// Writes points as the columns `timestamp`, `name`, `labels` (the text of a JSON object) and `value`, which
/// [`wire::arrow`](crate::wire::arrow) reads back.
pub fn batch(batch: &Batch) -> Vec<u8> {
    let keys = || batch.samples().iter().map(|sample| i32::try_from(sample.series.index()).expect("fewer than 2^31"));
    let names: StringArray = batch.series().iter().map(|key| Some(key.name.as_str())).collect();
    let labels: StringArray = batch.series().iter().map(|key| Some(json_text(key))).collect();
    let times = TimestampMicrosecondArray::from_iter_values(batch.samples().iter().map(|s| s.timestamp.micros()));
    let values = batch.samples().iter().map(|sample| Some(sample.value)).collect::<arrow::array::Float64Array>();
    let fields = vec![
        Field::new("timestamp", utc_type(), false),
        text_field("name".into(), false),
        text_field("labels".into(), false),
        Field::new("value", DataType::Float64, false),
    ];
    let columns = vec![
        Arc::new(times.with_timezone("UTC")) as ArrayRef,
        dictionary(keys().map(Some).collect(), names),
        dictionary(keys().map(Some).collect(), labels),
        Arc::new(values),
    ];
    stream(Schema::new(fields), columns)
}

fn json_text(key: &crate::model::SeriesKey) -> String {
    let mut text = Vec::new();
    super::text::push_labels(&mut text, &key.labels);
    String::from_utf8(text).expect("JSON of texts is UTF-8")
}

fn utc_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn text_field(name: Cow<'_, str>, nullable: bool) -> Field {
    Field::new_dictionary(name, DataType::Int32, DataType::Utf8, nullable)
}

fn dictionary(keys: Int32Array, words: StringArray) -> ArrayRef {
    Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(words)).expect(TAKES_ALL))
}

fn times(frame: &Frame, epoch: EpochUnit) -> (DataType, ArrayRef) {
    let micros = frame.series.iter().flat_map(|series| &series.time).map(|time| time.micros());
    match epoch {
        EpochUnit::Rfc3339 => {
            (utc_type(), Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC")))
        }
        EpochUnit::Micros => (DataType::Int64, Arc::new(Int64Array::from_iter_values(micros))),
        EpochUnit::Millis => {
            (DataType::Int64, Arc::new(Int64Array::from_iter_values(micros.map(|micros| micros.div_euclid(1_000)))))
        }
    }
}

/// A text that all rows of a series share.
fn texts<'a>(frame: &'a Frame, of: impl Fn(&'a FrameSeries) -> Option<&'a str>) -> ArrayRef {
    let mut numbers: HashMap<&str, i32> = HashMap::new();
    let mut words = Vec::new();
    let mut keys = Vec::new();
    for series in &frame.series {
        let key = of(series).map(|text| {
            *numbers.entry(text).or_insert_with(|| {
                words.push(text);
                i32::try_from(words.len() - 1).expect("a frame has fewer than 2^31 series")
            })
        });
        keys.extend(std::iter::repeat_n(key, series.time.len()));
    }
    dictionary(keys.into_iter().collect(), StringArray::from(words))
}

fn value_field(frame: &Frame, kind: ColumnKind, name: String) -> Field {
    let columns = || frame.series.iter().flat_map(|series| &series.columns).filter(|column| column.kind == kind);
    let field = Field::new(name, DataType::Float64, true);
    match kind {
        ColumnKind::Aggregate(aggregate) if aggregate.quantile().is_some() => {
            let sketched = columns().any(|column| column.exactness == Exactness::Sketch);
            let exactness = if sketched { Exactness::Sketch } else { Exactness::Exact };
            field.with_metadata(HashMap::from([("exactness".to_owned(), exactness.to_string())]))
        }
        _ => field,
    }
}

fn values(frame: &Frame, kind: ColumnKind) -> ArrayRef {
    let mut values = Float64Builder::new();
    for series in &frame.series {
        match series.column_of(kind) {
            Some(column) => column.iter().for_each(|value| values.append_option(*value)),
            None => values.append_nulls(series.time.len()),
        }
    }
    Arc::new(values.finish())
}

/// The stream of a table, in record batches of a bounded number of rows.
pub(crate) fn stream(schema: Schema, columns: Vec<ArrayRef>) -> Vec<u8> {
    let schema = Arc::new(schema);
    let table = RecordBatch::try_new(Arc::clone(&schema), columns).expect(TAKES_ALL);
    let write = || -> Result<Vec<u8>, ArrowError> {
        let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
        for start in (0..table.num_rows()).step_by(BATCH_ROWS) {
            writer.write(&table.slice(start, BATCH_ROWS.min(table.num_rows() - start)))?;
        }
        writer.into_inner()
    };
    write().expect(TAKES_ALL)
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::compute::concat_batches;
    use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
    use arrow::ipc::reader::StreamReader;

    use super::*;
    use crate::encode::fixture;
    use crate::model::{Labels, Point, Timestamp};
    use crate::wire;

    fn table(bytes: &[u8]) -> RecordBatch {
        let reader = StreamReader::try_new(bytes, None).expect("a stream");
        let schema = reader.schema();
        let batches: Vec<_> = reader.map(|batch| batch.expect("intact")).collect();
        concat_batches(&schema, &batches).expect("one schema")
    }

    fn words(table: &RecordBatch, column: &str) -> Vec<Option<String>> {
        let column = table.column_by_name(column).expect(column).as_dictionary::<Int32Type>();
        let words = column.values().as_string::<i32>();
        column.keys().iter().map(|key| key.map(|key| words.value(key as usize).to_owned())).collect()
    }

    #[test]
    fn labels_and_aggregates_are_columns() {
        let table = table(&frame(&fixture::frame(), &EncodeOptions::default()));
        let schema = table.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["time", "name", "dc", "host", "avg", "count", "p95"]);
        assert_eq!(schema.field(0).data_type(), &utc_type());
        assert_eq!(schema.metadata()["tz"], "Europe/Berlin");
        assert_eq!(schema.field(6).metadata()["exactness"], "sketch");
        let times = table.column(0).as_primitive::<TimestampMicrosecondType>();
        assert_eq!(times.value(2), 1_706_839_200_000_001);
        assert_eq!(words(&table, "host"), [None, None, Some("a,\"b\"".to_owned())]);
        let averages = table.column(4).as_primitive::<Float64Type>();
        assert_eq!(averages.iter().collect::<Vec<_>>(), [Some(1.5), None, Some(1e300)]);
    }

    #[test]
    fn epoch_times_are_integers() {
        let options = EncodeOptions { epoch: EpochUnit::Millis };
        let table = table(&frame(&fixture::frame(), &options));
        assert_eq!(table.column(0).as_primitive::<arrow::datatypes::Int64Type>().value(0), 1_706_832_000_000);
    }

    #[test]
    fn an_empty_frame_is_a_stream_without_rows() {
        let table = table(&frame(&Frame { series: Vec::new(), ..fixture::frame() }, &EncodeOptions::default()));
        assert_eq!((table.num_rows(), table.num_columns()), (0, 2));
    }

    #[test]
    fn points_of_many_batches_are_read_back() {
        let labels = [("host", "a\"b"), ("value", "v"), ("label.x", "é")];
        let points = (0..BATCH_ROWS as i64 + 10).map(|at| {
            let name = if at % 3 == 0 { "a" } else { "b c" };
            let point = Point::new(name, Timestamp::clamped(at * 7 - 1_000), at as f64 / 3.0).expect("valid");
            if at % 2 == 0 { point.with_labels(labels).expect("valid") } else { point }
        });
        let written: Batch = points.collect();
        let read = wire::arrow::decode(&batch(&written), None, 64 << 20).expect("our own");
        assert!(read.points().eq(written.points()));
    }

    #[test]
    fn points_of_a_frame_are_read_back_whatever_their_labels_are_called() {
        let mut frame = fixture::frame();
        let odd =
            [("time", "1"), ("timestamp", "2"), ("value", "3"), ("label.name", "4"), ("labels", "5"), ("name", "6")];
        frame.series[1].labels = Labels::new(odd).expect("valid");
        for series in &mut frame.series {
            series.columns.truncate(1);
            series.columns[0].kind = ColumnKind::Value;
            series.columns[0].values.fill(Some(2.5));
        }
        let read = wire::arrow::decode(&super::frame(&frame, &EncodeOptions::default()), None, 1 << 20).expect("ours");
        assert_eq!(read.series()[1].labels, frame.series[1].labels);
        assert_eq!(read.samples()[2].timestamp, frame.series[1].time[0]);
    }
}
