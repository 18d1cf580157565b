//! The cells of a table's rows, under the columns that make points.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, MapArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};

use super::columns::Columns;
use super::text::Text;
use crate::model::{
    Labels, MAX_LABEL_NAME_BYTES, MAX_LABEL_VALUE_BYTES, MAX_LABELS, MAX_NAME_BYTES, MICROS_PER_DAY, MetricName,
    SeriesKey, Timestamp, TimestampError,
};
use crate::wire::error::{DecodeError, Place, RowFault};
use crate::wire::{json, time};

/// Longest text of a JSON object of labels: as many as are allowed, each as long as allowed, every character escaped.
const MAX_LABELS_TEXT_BYTES: usize = 6 * MAX_LABELS * (MAX_LABEL_NAME_BYTES + MAX_LABEL_VALUE_BYTES + 8);

/// The columns of one table.
pub(super) struct Cells {
    times: Times,
    values: Float64Array,
    name: Option<Text>,
    labels: Option<LabelCells>,
    each: Vec<Text>,
}

/// A column of times.
enum Times {
    Numbers(Int64Array, Unit),
    Texts(Text),
}

/// What a number of a column of times counts.
#[derive(Clone, Copy)]
enum Unit {
    /// So many microseconds.
    Micros(i64),
    Nanos,
    /// Seconds, milliseconds, microseconds or nanoseconds, told apart by their magnitude.
    Epoch,
}

/// A column that holds all labels of a row.
enum LabelCells {
    Json(Text),
    Map { map: Box<MapArray>, names: Box<Text>, values: Box<Text> },
}

fn mismatch(column: &str) -> DecodeError {
    DecodeError::Schema(format!("column {column:?} is not of the type that the schema announces"))
}

impl Cells {
    /// Takes the columns out of a table.
    ///
    /// # Errors
    /// [`DecodeError::Schema`] when one is not of its type.
    pub(super) fn of(table: &RecordBatch, columns: &Columns) -> Result<Self, DecodeError> {
        let text = |at: usize, column: &str| Text::of(table.column(at)).ok_or_else(|| mismatch(column));
        let values = cast(table.column(columns.value), &DataType::Float64).ok();
        let values = values.as_ref().and_then(|values| values.as_primitive_opt::<Float64Type>());
        Ok(Self {
            times: Times::of(table.column(columns.timestamp)).ok_or_else(|| mismatch("timestamp"))?,
            values: values.ok_or_else(|| mismatch("value"))?.clone(),
            name: columns.name.map(|at| text(at, "name")).transpose()?,
            labels: match columns.labels {
                Some(at) => Some(LabelCells::of(table.column(at)).ok_or_else(|| mismatch("labels"))?),
                None => None,
            },
            each: columns.each.iter().map(|(at, label)| text(*at, label)).collect::<Result<_, _>>()?,
        })
    }

    /// The time of a row.
    ///
    /// # Errors
    /// [`RowFault`] when the cell holds none.
    pub(super) fn timestamp(&self, row: usize) -> Result<Timestamp, RowFault> {
        let null = || RowFault::of("timestamp", "timestamp is null: every point has a time");
        let parsed = match &self.times {
            Times::Numbers(numbers, _) if numbers.is_null(row) => return Err(null()),
            Times::Numbers(numbers, unit) => unit.timestamp(numbers.value(row)),
            Times::Texts(texts) => time::parse(texts.get(row).ok_or_else(null)?.trim().as_bytes()),
        };
        parsed.map_err(|error| RowFault::of("timestamp", error.to_string()))
    }

    /// The value of a row.
    ///
    /// # Errors
    /// [`RowFault`] when it is null; a number that is not finite is refused where it is stored.
    pub(super) fn value(&self, row: usize) -> Result<f64, RowFault> {
        match self.values.is_valid(row) {
            true => Ok(self.values.value(row)),
            false => Err(RowFault::of("value", "value is null: a finite number is required")),
        }
    }

    /// Appends what tells the series of a row from the others of this table.
    pub(super) fn spell(&self, row: usize, spelling: &mut Vec<u8>) {
        if let Some(name) = &self.name {
            name.spell(row, MAX_NAME_BYTES, spelling);
        }
        for label in &self.each {
            label.spell(row, MAX_LABEL_VALUE_BYTES, spelling);
        }
        match &self.labels {
            None => {}
            Some(LabelCells::Json(text)) => text.spell(row, MAX_LABELS_TEXT_BYTES, spelling),
            // What comes last needs no end.
            Some(LabelCells::Map { map, names, values }) => {
                for at in entries(map, row).take(MAX_LABELS + 1) {
                    names.spell(at, MAX_LABEL_NAME_BYTES, spelling);
                    values.spell(at, MAX_LABEL_VALUE_BYTES, spelling);
                }
            }
        }
    }

    /// The series of a row.
    ///
    /// # Errors
    /// [`RowFault`] names the cell that breaks a bound.
    pub(super) fn series(&self, row: usize, columns: &Columns) -> Result<SeriesKey, RowFault> {
        let name = match (&self.name, &columns.metric) {
            (None, Some(metric)) => metric.clone(),
            (column, _) => {
                let text = column.as_ref().and_then(|column| column.get(row));
                let text = text.ok_or_else(|| RowFault::of("name", "name is null: every point has a metric's name"))?;
                MetricName::new(text).map_err(|error| RowFault::label(&error))?
            }
        };
        let own = self.labels.as_ref().map_or(Ok(Labels::empty()), |labels| labels.of_row(row))?;
        let each = columns.each.iter().zip(&self.each);
        let each = each.filter_map(|((_, label), texts)| Some((label.as_str(), texts.get(row)?)));
        let labels = Labels::new(own.iter().chain(each)).map_err(|error| RowFault::label(&error))?;
        Ok(SeriesKey::new(name, labels))
    }
}

impl Times {
    fn of(column: &ArrayRef) -> Option<Self> {
        let unit = match column.data_type() {
            DataType::Timestamp(TimeUnit::Second, _) => Unit::Micros(1_000_000),
            DataType::Timestamp(TimeUnit::Millisecond, _) | DataType::Date64 => Unit::Micros(1_000),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Unit::Micros(1),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => Unit::Nanos,
            DataType::Date32 => Unit::Micros(MICROS_PER_DAY),
            of if of.is_integer() => Unit::Epoch,
            _ => return Text::of(column).map(Self::Texts),
        };
        let numbers = cast(column, &DataType::Int64).ok()?;
        Some(Self::Numbers(numbers.as_primitive_opt::<Int64Type>()?.clone(), unit))
    }
}

impl Unit {
    fn timestamp(self, number: i64) -> Result<Timestamp, TimestampError> {
        let micros = match self {
            Self::Epoch => return Timestamp::from_epoch(number),
            Self::Nanos => Some(number.div_euclid(1_000)),
            Self::Micros(factor) => number.checked_mul(factor),
        };
        let in_range = micros.and_then(|micros| Timestamp::from_micros(micros).ok());
        in_range.ok_or_else(|| TimestampError::OutOfRange(number.to_string()))
    }
}

/// Where the entries of a row stand in a map's columns.
fn entries(map: &MapArray, row: usize) -> std::ops::Range<usize> {
    if map.is_null(row) {
        return 0..0;
    }
    let ends = |at: usize| usize::try_from(map.value_offsets()[at]).unwrap_or(0);
    ends(row)..ends(row + 1)
}

impl LabelCells {
    fn of(column: &ArrayRef) -> Option<Self> {
        let Some(map) = column.as_map_opt() else { return Text::of(column).map(Self::Json) };
        let [names, values] = [map.keys(), map.values()].map(Text::of);
        Some(Self::Map { map: Box::new(map.clone()), names: Box::new(names?), values: Box::new(values?) })
    }

    fn of_row(&self, row: usize) -> Result<Labels, RowFault> {
        match self {
            Self::Json(texts) => match texts.get(row) {
                None | Some("") => Ok(Labels::empty()),
                Some(text) if text.len() > MAX_LABELS_TEXT_BYTES => {
                    let message =
                        format!("labels have {} bytes: at most {MAX_LABELS_TEXT_BYTES} are allowed", text.len());
                    Err(RowFault::of("labels", message))
                }
                Some(text) => json::labels(text),
            },
            Self::Map { map, names, values } => {
                let pairs = entries(map, row);
                if pairs.len() > MAX_LABELS {
                    return Err(RowFault::label(&crate::model::LabelError::TooMany(pairs.len())));
                }
                let pair = |at: usize| (names.get(at).unwrap_or_default(), values.get(at).unwrap_or_default());
                Labels::new(pairs.map(pair)).map_err(|error| RowFault::label(&error))
            }
        }
    }
}

/// What is said of a table that its reader cannot read.
pub(in crate::wire) fn unreadable(what: &str, reason: impl std::fmt::Display) -> DecodeError {
    let reason: String = reason.to_string().chars().take(200).collect();
    DecodeError::Syntax { place: Place::Body, message: format!("{what}: {reason}") }
}
