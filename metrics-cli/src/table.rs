//! Tables for terminals: numbers to the right with the same decimals, times no longer than they need to be.

use chrono::{DateTime, Offset, Timelike};
use chrono_tz::Tz;
use comfy_table::{
    Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, ContentLineStyle, LineStyle, Table,
    TableStyle, Width,
};
use metrics_core::Timestamp;
use unicode_width::UnicodeWidthStr;

/// Blank sides, a rule below the header: the data stands out, not the frame.
const STYLE: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none())
    .header_separator(LineStyle::none().fill('─'))
    .content_lines(ContentLineStyle::none());
/// Digits of a value as it was measured; more are noise of binary arithmetic. Other formats print every digit.
const VALUE_DIGITS: i32 = 9;
/// Digits of a computed number, which has as many as it is given.
const COMPUTED_DIGITS: i32 = 6;
/// Columns that a column of words keeps in a narrow terminal.
const LEAST_WORD_COLUMNS: u16 = 10;
/// Blanks at both sides of a cell.
const SIDES: usize = 2;
/// What stands where there is no value.
const NOTHING: &str = "-";

/// A column: its heading and the text of each row.
pub(crate) struct TableColumn {
    heading: String,
    right: bool,
    /// Whether it may be broken into lines where the terminal is narrow.
    wraps: bool,
    cells: Vec<String>,
}

impl TableColumn {
    /// A column of words.
    pub(crate) fn words(heading: impl Into<String>, cells: Vec<String>) -> Self {
        Self { heading: heading.into(), right: false, wraps: true, cells }
    }

    /// A column of computed numbers, all with as many decimals as one of them needs.
    pub(crate) fn numbers(heading: impl Into<String>, values: &[Option<f64>]) -> Self {
        Self::decimal(heading, values, COMPUTED_DIGITS)
    }

    /// A column of values as they were written.
    pub(crate) fn values(heading: impl Into<String>, values: &[Option<f64>]) -> Self {
        Self::decimal(heading, values, VALUE_DIGITS)
    }

    fn decimal(heading: impl Into<String>, values: &[Option<f64>], digits: i32) -> Self {
        let places = decimals(values, digits);
        let cell = |value: &Option<f64>| value.map_or_else(|| NOTHING.to_owned(), |value| number(value, places));
        Self { heading: heading.into(), right: true, wraps: false, cells: values.iter().map(cell).collect() }
    }

    /// A column of whole numbers that were written already.
    pub(crate) fn counts(heading: impl Into<String>, cells: Vec<String>) -> Self {
        Self { heading: heading.into(), right: true, wraps: false, cells }
    }

    fn longest(&self) -> usize {
        self.cells.iter().chain([&self.heading]).map(|cell| cell.width()).max().unwrap_or(0)
    }

    /// A column of times on a zone's clock.
    pub(crate) fn times(heading: &str, times: &[Timestamp], zone: Tz) -> Self {
        let heading = format!("{heading} ({})", zone.name());
        Self { heading, right: false, wraps: false, cells: local_times(times, zone) }
    }
}

/// The columns as text. `width` is that of the terminal, beyond which words are wrapped.
pub(crate) fn render(columns: Vec<TableColumn>, width: Option<u16>, styled: bool) -> String {
    let mut table = Table::new();
    table.load_style(STYLE).force_no_tty();
    if styled {
        table.enforce_styling();
    }
    if let Some(width) = width {
        table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
    }
    let align = |column: &TableColumn| if column.right { CellAlignment::Right } else { CellAlignment::Left };
    table.set_header(
        columns
            .iter()
            .map(|column| Cell::new(&column.heading).add_attribute(Attribute::Bold).set_alignment(align(column))),
    );
    let rows = columns.iter().map(|column| column.cells.len()).max().unwrap_or(0);
    for row in 0..rows {
        let cell = |column: &TableColumn| {
            Cell::new(column.cells.get(row).map_or("", String::as_str)).set_alignment(align(column))
        };
        table.add_row(columns.iter().map(cell));
    }
    for (column, of) in table.column_iter_mut().zip(&columns) {
        column.set_constraint(match of.wraps {
            true => ColumnConstraint::LowerBoundary(Width::Fixed(least_columns(of))),
            false => ColumnConstraint::ContentWidth,
        });
    }
    table.trim_fmt() + "\n"
}

/// Columns of the terminal that the table takes when nothing in it is broken.
pub(crate) fn natural_columns(columns: &[TableColumn]) -> usize {
    columns.iter().map(|column| column.longest() + SIDES).sum()
}

/// Narrowest that a column of words becomes, its blank sides included.
fn least_columns(column: &TableColumn) -> u16 {
    u16::try_from(column.longest() + SIDES).unwrap_or(u16::MAX).min(LEAST_WORD_COLUMNS)
}

/// Decimals that the column needs; more than two only up to so many digits of its longest number.
fn decimals(values: &[Option<f64>], digits: i32) -> usize {
    let finite = || values.iter().flatten().copied().filter(|value| value.is_finite() && plain(*value));
    let greatest = finite().fold(0.0, |most: f64, value| most.max(value.abs()));
    let whole = greatest.max(1.0).log10().floor() as i32 + 1;
    let most = (digits - whole).clamp(2, 6).unsigned_abs() as usize;
    finite()
        .map(|value| {
            let text = format!("{value:.most$}");
            text.split_once('.').map_or(0, |(_, decimals)| decimals.trim_end_matches('0').len())
        })
        .max()
        .unwrap_or(0)
}

/// Whether a number reads well without an exponent.
fn plain(value: f64) -> bool {
    value == 0.0 || (1e-5..1e15).contains(&value.abs())
}

fn number(value: f64, decimals: usize) -> String {
    if plain(value) || !value.is_finite() { format!("{value:.decimals$}") } else { format!("{value:.4e}") }
}

/// Times in the shortest form that loses nothing, the same for all; with offsets where the clock changes in between.
fn local_times(times: &[Timestamp], zone: Tz) -> Vec<String> {
    let local: Vec<DateTime<Tz>> = times.iter().map(|at| at.to_utc().with_timezone(&zone)).collect();
    let all = |test: fn(&DateTime<Tz>) -> bool| local.iter().all(test);
    let mut format = match () {
        () if all(|at| at.num_seconds_from_midnight() == 0 && at.nanosecond() == 0) => "%Y-%m-%d",
        () if all(|at| at.second() == 0 && at.nanosecond() == 0) => "%Y-%m-%d %H:%M",
        () if all(|at| at.nanosecond() == 0) => "%Y-%m-%d %H:%M:%S",
        () if all(|at| at.nanosecond() % 1_000_000 == 0) => "%Y-%m-%d %H:%M:%S%.3f",
        () => "%Y-%m-%d %H:%M:%S%.6f",
    }
    .to_owned();
    if local.windows(2).any(|pair| pair[0].offset().fix() != pair[1].offset().fix()) && format.len() > "%Y-%m-%d".len()
    {
        format.push_str("%:z");
    }
    local.iter().map(|at| at.format(&format).to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: &[f64]) -> Vec<String> {
        TableColumn::values("x", &values.iter().map(|v| Some(*v)).collect::<Vec<_>>()).cells
    }

    #[test]
    fn a_column_has_the_decimals_that_it_needs() {
        assert_eq!(numbers(&[51.846000000000004, 44.5, 3.0]), ["51.846", "44.500", "3.000"]);
        assert_eq!(numbers(&[1.0 / 3.0, 251_643.25]), ["0.333", "251643.250"]);
        assert_eq!(TableColumn::numbers("x", &[Some(251_643.25), Some(2.0 / 3.0)]).cells, ["251643.25", "0.67"]);
        assert_eq!(TableColumn::numbers("x", &[Some(25.0 / 3.0)]).cells, ["8.33333"]);
        assert_eq!(numbers(&[94.0, 56.0]), ["94", "56"]);
        assert_eq!(numbers(&[1e300, 2.0, -3.5e-9]), ["1.0000e300", "2", "-3.5000e-9"]);
        assert_eq!(TableColumn::numbers("x", &[None, Some(1.0)]).cells, ["-", "1"]);
    }

    #[test]
    fn times_are_as_long_as_the_longest_needs() {
        let times = |texts: &[&str], zone| {
            local_times(&texts.iter().map(|t| Timestamp::parse(t).expect("a time")).collect::<Vec<_>>(), zone)
        };
        assert_eq!(times(&["2024-02-02", "2024-02-03"], Tz::UTC), ["2024-02-02", "2024-02-03"]);
        assert_eq!(times(&["2024-02-02", "2024-02-02T11:43:00Z"], Tz::UTC)[0], "2024-02-02 00:00");
        assert_eq!(times(&["2024-02-02T11:43:02.099Z"], Tz::Asia__Kolkata), ["2024-02-02 17:13:02.099"]);
        let night = times(&["2024-10-27T00:00:00Z", "2024-10-27T01:00:00Z"], Tz::Europe__Berlin);
        assert_eq!(night, ["2024-10-27 02:00+02:00", "2024-10-27 02:00+01:00"]);
    }

    #[test]
    fn narrow_terminals_break_words_and_nothing_else() {
        let columns = || {
            vec![
                TableColumn::words("name", vec!["machine_temperature_system_failure".into()]),
                TableColumn::times("last", &[Timestamp::EPOCH.saturating_add_micros(1_000_000)], Tz::UTC),
                TableColumn::counts("points", vec!["22,695".into()]),
            ]
        };
        for width in [45, 60, 79] {
            let text = render(columns(), Some(width), false);
            assert!(text.contains("1970-01-01 00:00:01") && text.contains("22,695"), "{text}");
            assert!(text.lines().all(|line| line.width() <= usize::from(width)), "{text}");
        }
    }

    #[test]
    fn numbers_stand_to_the_right() {
        let columns = vec![
            TableColumn::words("name", vec!["cpu".into(), "memory".into()]),
            TableColumn::numbers("avg", &[Some(9.5), Some(61.25)]),
        ];
        let lines: Vec<String> = render(columns, None, false).lines().map(String::from).collect();
        assert_eq!(lines, [" name      avg", "───────────────", " cpu      9.50", " memory  61.25"]);
    }
}
