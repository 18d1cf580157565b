//! Which column of a schema is which part of a point.

use std::borrow::Cow;

use arrow::datatypes::{DataType, Schema};

use super::text::is_text;
use crate::model::{Labels, MetricName};
use crate::wire::error::{DecodeError, excerpt};

/// Most columns; a wide table of one metric a column is another format.
const MAX_COLUMNS: usize = 256;
/// Columns that are parts of a point. A label of such a name has a column that begins with [`LABEL_PREFIX`].
const PARTS: [&str; 5] = ["timestamp", "time", "name", "value", "labels"];
/// What begins the column of a label whose own name is taken.
const LABEL_PREFIX: &str = "label.";
/// What pandas calls the column of an index that has no name.
const PANDAS_INDEX: &str = "__index_level_";

/// Where the parts of a point stand in a row.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) timestamp: usize,
    pub(super) value: usize,
    /// None where an option names the metric.
    pub(super) name: Option<usize>,
    /// The metric that an option names.
    pub(super) metric: Option<MetricName>,
    /// The column that holds all labels.
    pub(super) labels: Option<usize>,
    /// The columns that hold one label each, with its name.
    pub(super) each: Vec<(usize, String)>,
}

fn schema_error(message: impl Into<String>) -> DecodeError {
    DecodeError::Schema(message.into())
}

impl Columns {
    /// Finds the columns by their names and looks at their types.
    ///
    /// # Errors
    /// [`DecodeError::Schema`] names the column.
    pub(super) fn of(schema: &Schema, metric: Option<MetricName>) -> Result<Self, DecodeError> {
        let fields = schema.fields();
        if fields.len() > MAX_COLUMNS {
            return Err(schema_error(format!("{} columns: at most {MAX_COLUMNS} are allowed", fields.len())));
        }
        let mut names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let find = |wanted: &str| fields.iter().position(|field| field.name() == wanted);
        let missing = |wanted: &str, remedy: &str| {
            schema_error(format!("no column {wanted:?} in {}: {remedy}", excerpt(names.join(",").as_bytes())))
        };
        let usual = "columns such as timestamp, name, value are required";
        let timestamp = find("timestamp").or_else(|| find("time")).ok_or_else(|| missing("timestamp", usual))?;
        let value = find("value").ok_or_else(|| missing("value", usual))?;
        let (name, labels) = (find("name"), find("labels"));
        match (&metric, name) {
            (Some(_), Some(_)) => {
                return Err(schema_error(
                    "the metric's name is given as an option and as the column \"name\": use only one",
                ));
            }
            (None, None) => return Err(missing("name", "add it, or give the metric's name as an option")),
            _ => {}
        }
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(schema_error(format!("column {} stands twice", excerpt(pair[0].as_bytes()))));
        }
        let types = |at: usize| fields[at].data_type();
        check(timestamp, schema, is_time(types(timestamp)), "a timestamp, date, integer or text is required")?;
        check(value, schema, is_number(types(value)), "a number is required")?;
        if let Some(at) = name {
            check(at, schema, is_text(types(at)), "a text is required")?;
        }
        if let Some(at) = labels {
            let fits = is_text(types(at)) || is_map(types(at));
            check(at, schema, fits, "a map of texts to texts, or the text of a JSON object, is required")?;
        }
        let parts = [Some(timestamp), Some(value), name, labels];
        let each = label_columns(schema, &parts)?;
        Ok(Self { timestamp, value, name, metric, labels, each })
    }
}

fn check(at: usize, schema: &Schema, fits: bool, required: &str) -> Result<(), DecodeError> {
    let field = schema.field(at);
    if fits {
        return Ok(());
    }
    let name = excerpt(field.name().as_bytes());
    Err(schema_error(format!("column {name} has the type {}: {required}", type_name(field.data_type()))))
}

/// A type in words, cut: types may be nested and long.
fn type_name(data_type: &DataType) -> String {
    let name = data_type.to_string();
    if name.chars().count() > 48 { name.chars().take(48).chain(['…']).collect() } else { name }
}

fn label_columns(schema: &Schema, parts: &[Option<usize>]) -> Result<Vec<(usize, String)>, DecodeError> {
    let mut each = Vec::new();
    for (at, field) in schema.fields().iter().enumerate() {
        if parts.contains(&Some(at)) {
            continue;
        }
        if field.name().starts_with(PANDAS_INDEX) {
            let of = field.data_type();
            let fits = is_time(of) || is_number(of) || matches!(of, DataType::Boolean | DataType::Null);
            check(at, schema, fits, "an index is passed over where it holds numbers, times or texts: leave it out")?;
            continue;
        }
        match field.data_type() {
            // A column that was never filled.
            DataType::Null => continue,
            of => check(
                at,
                schema,
                is_text(of),
                "every column beside timestamp, name, value and labels is a label, a text",
            )?,
        }
        each.push((at, label_of_column(field.name()).to_owned()));
    }
    Labels::new(each.iter().map(|(_, label)| (label, ""))).map_err(|error| schema_error(error.to_string()))?;
    let mut names: Vec<&str> = each.iter().map(|(_, label)| label.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(schema_error(format!("label {} has two columns", excerpt(pair[0].as_bytes())))),
        None => Ok(each),
    }
}

/// The label whose column is called so.
fn label_of_column(column: &str) -> &str {
    match column.strip_prefix(LABEL_PREFIX) {
        Some(label) if PARTS.contains(&label) || label.starts_with(LABEL_PREFIX) => label,
        _ => column,
    }
}

/// What a label's column is called, beside columns that are taken: the inverse of what readers do.
pub(crate) fn column_of_label<'a>(label: &'a str, taken: impl Fn(&str) -> bool) -> Cow<'a, str> {
    if PARTS.contains(&label) || label.starts_with(LABEL_PREFIX) || taken(label) {
        format!("{LABEL_PREFIX}{label}").into()
    } else {
        label.into()
    }
}

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
        || data_type.is_integer()
        || is_text(data_type)
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_integer() || data_type.is_floating() || is_decimal(data_type)
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..)
    )
}

fn is_map(data_type: &DataType) -> bool {
    let DataType::Map(entries, _) = data_type else { return false };
    match entries.data_type() {
        DataType::Struct(pair) => pair.len() == 2 && pair.iter().all(|field| is_text(field.data_type())),
        _ => false,
    }
}
