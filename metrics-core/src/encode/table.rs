//! The result of an SQL statement as JSON, CSV, NDJSON and Arrow.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef, TimeUnit, TimestampMicrosecondType};
use arrow::ipc::writer::StreamWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::csv::{push_cell, push_value};
use super::text::{push_count, push_number, push_string, push_time};
use crate::model::Timestamp;

/// Nested values deeper than this are written as text.
const MAX_DEPTH: usize = 16;

/// The result of a statement: rows of typed columns.
#[derive(Debug, Clone)]
pub struct SqlAnswer {
    pub(crate) schema: SchemaRef,
    pub(crate) batches: Vec<RecordBatch>,
}

impl SqlAnswer {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Writes `{"columns":[{"name","type","values":[…]}],"rows"}`. Numbers are numbers, times RFC 3339 text, lists arrays,
    /// structs objects; what JSON has no word for is text, and numbers that are not finite are null.
    pub fn json(&self) -> Vec<u8> {
        let mut out = b"{\"columns\":[".to_vec();
        for (at, field) in self.schema.fields().iter().enumerate() {
            out.extend_from_slice(if at > 0 { b",{\"name\":" } else { b"{\"name\":" });
            push_string(&mut out, field.name());
            out.extend_from_slice(b",\"type\":");
            push_string(&mut out, &field.data_type().to_string());
            out.extend_from_slice(b",\"values\":[");
            let mut first = true;
            for batch in &self.batches {
                let column = Column::of(batch.column(at));
                for row in 0..batch.num_rows() {
                    if !std::mem::take(&mut first) {
                        out.push(b',');
                    }
                    column.push_json(&mut out, row, 0);
                }
            }
            out.extend_from_slice(b"]}");
        }
        out.extend_from_slice(b"],\"rows\":");
        push_count(&mut out, self.rows() as u64);
        out.push(b'}');
        out
    }

    /// Writes one JSON object a row.
    pub fn ndjson(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for_each_row(self, |columns, row| {
            out.push(b'{');
            for (at, (field, column)) in self.schema.fields().iter().zip(columns).enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                push_string(&mut out, field.name());
                out.push(b':');
                column.push_json(&mut out, row, 0);
            }
            out.extend_from_slice(b"}\n");
        });
        out
    }

    /// Writes a header of the columns' names and one line a row; null is an empty cell.
    pub fn csv(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (at, field) in self.schema.fields().iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            push_cell(&mut out, field.name());
        }
        out.push(b'\n');
        for_each_row(self, |columns, row| {
            for (at, column) in columns.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                column.push_csv(&mut out, row);
            }
            out.push(b'\n');
        });
        out
    }

    /// Writes an Arrow IPC stream with the columns as DuckDB types them.
    pub fn arrow(&self) -> Vec<u8> {
        let write = || {
            let mut writer = StreamWriter::try_new(Vec::new(), &self.schema)?;
            self.batches.iter().try_for_each(|batch| writer.write(batch))?;
            writer.into_inner()
        };
        write().expect("every type of DuckDB's has its form in the stream, and a Vec takes everything")
    }
}

fn for_each_row(answer: &SqlAnswer, mut each: impl FnMut(&[Column], usize)) {
    for batch in &answer.batches {
        let columns: Vec<Column> = RecordBatch::columns(batch).iter().map(Column::of).collect();
        (0..batch.num_rows()).for_each(|row| each(&columns, row));
    }
}

/// A column, and how its values are written.
struct Column {
    array: ArrayRef,
    form: Form,
}

#[derive(Clone, Copy)]
enum Form {
    /// Digits.
    Number,
    Bool,
    Float,
    Text,
    Time,
    List,
    Struct,
    /// As it is usually shown.
    Other,
}

impl Column {
    fn of(array: &ArrayRef) -> Self {
        use DataType as Of;
        let (wanted, form) = match array.data_type() {
            of if of.is_integer() => (None, Form::Number),
            Of::Decimal32(..) | Of::Decimal64(..) | Of::Decimal128(..) | Of::Decimal256(..) => (None, Form::Number),
            Of::Boolean => (None, Form::Bool),
            Of::Float16 | Of::Float32 | Of::Float64 => (None, Form::Float),
            Of::Utf8 => (None, Form::Text),
            Of::LargeUtf8 | Of::Utf8View | Of::Dictionary(..) => (Some(Of::Utf8), Form::Text),
            Of::Timestamp(_, zone) => (Some(Of::Timestamp(TimeUnit::Microsecond, zone.clone())), Form::Time),
            Of::List(_) => (None, Form::List),
            Of::Struct(_) => (None, Form::Struct),
            _ => (None, Form::Other),
        };
        let same = || Arc::clone(array);
        match wanted.map(|wanted| cast(array, &wanted)) {
            None => Self { array: same(), form },
            Some(Ok(array)) => Self { array, form },
            Some(Err(_)) => Self { array: same(), form: Form::Other },
        }
    }

    fn push_json(&self, out: &mut Vec<u8>, row: usize, depth: usize) {
        if self.array.is_null(row) {
            out.extend_from_slice(b"null");
            return;
        }
        match self.form {
            Form::Number | Form::Bool => out.extend_from_slice(self.shown(row).as_bytes()),
            Form::Float => match self.float(row) {
                Some(value) if value.is_finite() => out.extend_from_slice(self.digits(row, value).as_bytes()),
                _ => out.extend_from_slice(b"null"),
            },
            Form::Text => push_string(out, self.array.as_string::<i32>().value(row)),
            Form::Time => push_string(out, &self.time(row)),
            Form::List if depth < MAX_DEPTH => {
                let items = self.array.as_list::<i32>().value(row);
                let column = Self::of(&items);
                out.push(b'[');
                for item in 0..items.len() {
                    if item > 0 {
                        out.push(b',');
                    }
                    column.push_json(out, item, depth + 1);
                }
                out.push(b']');
            }
            Form::Struct if depth < MAX_DEPTH => {
                let parts = self.array.as_struct();
                out.push(b'{');
                for (at, (name, part)) in parts.column_names().into_iter().zip(parts.columns()).enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    push_string(out, name);
                    out.push(b':');
                    Self::of(part).push_json(out, row, depth + 1);
                }
                out.push(b'}');
            }
            Form::List | Form::Struct | Form::Other => push_string(out, &self.shown(row)),
        }
    }

    fn push_csv(&self, out: &mut Vec<u8>, row: usize) {
        if self.array.is_null(row) {
            return;
        }
        match self.form {
            Form::Text => push_cell(out, self.array.as_string::<i32>().value(row)),
            Form::Time => push_cell(out, &self.time(row)),
            Form::Float => match self.float(row) {
                Some(value) if value.is_finite() => out.extend_from_slice(self.digits(row, value).as_bytes()),
                Some(value) => push_value(out, value),
                None => {}
            },
            Form::List | Form::Struct => {
                let mut text = Vec::new();
                self.push_json(&mut text, row, 0);
                push_cell(out, &String::from_utf8(text).expect("JSON of texts is UTF-8"));
            }
            Form::Number | Form::Bool | Form::Other => push_cell(out, &self.shown(row)),
        }
    }

    fn float(&self, row: usize) -> Option<f64> {
        let wide = self.array.as_primitive_opt::<Float64Type>().map(|values| values.value(row));
        wide.or_else(|| self.array.as_primitive_opt::<Float32Type>().map(|values| f64::from(values.value(row))))
    }

    /// The fewest digits that read back as the same number of its own width.
    fn digits(&self, row: usize, value: f64) -> String {
        match self.array.as_primitive_opt::<Float32Type>() {
            Some(values) => values.value(row).to_string(),
            None => {
                let mut text = Vec::new();
                push_number(&mut text, value);
                String::from_utf8(text).expect("digits are ASCII")
            }
        }
    }

    /// RFC 3339 where the time is one of ours.
    fn time(&self, row: usize) -> String {
        let micros = self.array.as_primitive::<TimestampMicrosecondType>().value(row);
        match Timestamp::from_micros(micros) {
            Ok(timestamp) => {
                let mut text = Vec::new();
                push_time(&mut text, timestamp);
                String::from_utf8(text).expect("digits are ASCII")
            }
            Err(_) => self.shown(row),
        }
    }

    fn shown(&self, row: usize) -> String {
        let options = FormatOptions::default().with_display_error(true);
        match ArrayFormatter::try_new(&self.array, &options) {
            Ok(formatter) => formatter.value(row).to_string(),
            Err(_) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{BooleanArray, Decimal128Array, Float32Array, Float64Array, Int64Array, ListArray, StringArray};
    use arrow::array::{StructArray, TimestampMicrosecondArray};
    use arrow::datatypes::{Field, Int32Type};

    use super::*;

    fn answer() -> SqlAnswer {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None]);
        let part: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
        let parts = StructArray::from(vec![(Arc::new(Field::new("a", DataType::Utf8, true)), part)]);
        let sums = Decimal128Array::from(vec![1_250, -5]).with_precision_and_scale(20, 2).expect("valid");
        let columns: [(&str, ArrayRef); 8] = [
            ("n", Arc::new(Int64Array::from(vec![Some(i64::MAX), None]))),
            ("sum", Arc::new(sums)),
            ("f", Arc::new(Float64Array::from(vec![0.5, f64::NAN]))),
            ("g", Arc::new(Float32Array::from(vec![0.1, f32::INFINITY]))),
            ("t", Arc::new(TimestampMicrosecondArray::from(vec![0, 1_500_000]))),
            ("s", Arc::new(StringArray::from(vec!["a,\"b\"", ""]))),
            ("l", Arc::new(lists)),
            ("p", Arc::new(parts)),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)));
        let batch = batch.expect("one length");
        SqlAnswer { schema: batch.schema(), batches: vec![batch.clone(), batch] }
    }

    #[test]
    fn rows_are_objects_and_lines() {
        let text = String::from_utf8(answer().ndjson()).expect("UTF-8");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(
            lines[0],
            concat!(
                r#"{"n":9223372036854775807,"sum":12.50,"f":0.5,"g":0.1,"t":"1970-01-01T00:00:00Z","#,
                r#""s":"a,\"b\"","l":[1,null],"p":{"a":"x"}}"#
            )
        );
        assert!(
            lines[1].starts_with(r#"{"n":null,"sum":-0.05,"f":null,"g":null,"t":"1970-01-01T00:00:01.500Z","s":"","#)
        );
        let text = String::from_utf8(answer().csv()).expect("UTF-8");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "n,sum,f,g,t,s,l,p");
        assert_eq!(
            lines[1],
            r#"9223372036854775807,12.50,0.5,0.1,1970-01-01T00:00:00Z,"a,""b""","[1,null]","{""a"":""x""}""#
        );
        assert_eq!(lines[2], r#",-0.05,NaN,+Inf,1970-01-01T00:00:01.500Z,,,"{""a"":""y""}""#);
    }

    #[test]
    fn columns_have_names_types_and_the_values_of_all_batches() {
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None]));
        let batch = RecordBatch::try_from_iter_with_nullable([("b", flags, true)]).expect("one column");
        let answer = SqlAnswer { schema: batch.schema(), batches: vec![batch.clone(), batch] };
        let expected = r#"{"columns":[{"name":"b","type":"Boolean","values":[true,null,true,null]}],"rows":4}"#;
        assert_eq!(String::from_utf8(answer.json()).expect("UTF-8"), expected);
    }
}
