//! Whole pictures: what they look like, and that no size breaks them.

use proptest::prelude::*;

use super::*;

fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut inside = false;
    for c in text.chars() {
        match c {
            '\x1b' => inside = true,
            'm' if inside => inside = false,
            c if !inside => plain.push(c),
            _ => {}
        }
    }
    plain
}

fn at(minute: i64) -> Timestamp {
    Timestamp::parse("2024-02-02").expect("a date").saturating_add_micros(minute * 60_000_000)
}

fn curve(label: &str, values: &[(i64, Option<f64>)]) -> Curve {
    let points: Vec<_> = values.iter().map(|&(minute, value)| (at(minute), value)).collect();
    Curve::new(label.into(), &points, Some(60_000_000))
}

fn picture(curves: Vec<Curve>, columns: usize, rows: usize, paint: Paint) -> Picture {
    Picture { title: "cpu avg per minute".into(), curves, from: at(0), to: at(60), zone: Tz::UTC, columns, rows, paint }
}

#[test]
fn a_line_stands_between_its_axes() {
    let rising: Vec<_> = (0..=60).map(|minute| (minute, Some(minute as f64))).collect();
    let lines = picture(vec![curve("cpu", &rising)], 40, 8, Paint::Marks).draw();
    assert_eq!(
        lines,
        [
            "cpu avg per minute            2024-02-02",
            "50 ┤                             ⣀⣀⡠⠤⠒⠒⠉",
            "   │                      ⣀⡠⠤⠔⠒⠉⠉",
            "   │              ⣀⣀⠤⠤⠒⠒⠉⠉",
            "   │       ⣀⣀⠤⠔⠒⠊⠉",
            " 0 ┤⣀⠤⠤⠒⠊⠉⠉",
            "   └┬────────┬────────┬───────┬────────┬",
            "  Feb 2    00:15    00:30   00:45  01:00",
        ]
        .map(String::from)
    );
}

#[test]
fn a_terminal_without_unicode_gets_the_same_picture() {
    let rising: Vec<_> = (0..=60).map(|minute| (minute, Some(minute as f64))).collect();
    let falling: Vec<_> = (0..=60).map(|minute| (minute, Some(60.0 - minute as f64))).collect();
    let lines = picture(vec![curve("up", &rising), curve("dówn", &falling)], 40, 9, Paint::Ascii).draw();
    assert!(lines.iter().all(|line| line.is_ascii()), "{lines:?}");
    assert!(lines[1].contains('*') && lines[1].contains('+') && lines[8] == "* up   + d?wn", "{lines:?}");
}

#[test]
fn least_and_greatest_are_a_shade_behind_the_line() {
    let mut average = curve("cpu", &[(0, Some(5.0)), (60, Some(5.0))]);
    average.band = vec![vec![(at(0), 0.0, 10.0), (at(60), 0.0, 10.0)]];
    let lines = picture(vec![average], 30, 6, Paint::Ascii).draw();
    let drawn: Vec<&str> =
        lines[1..4].iter().map(|line| line.trim_start_matches([' ', '+', '|', '1', '0', '5'])).collect();
    assert!(drawn[0].starts_with("....") && drawn[2].starts_with("...."), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("****")), "{lines:?}");
}

#[test]
fn a_gap_in_time_is_a_gap_in_the_line() {
    let values: Vec<_> = (0..=60).filter(|m| !(20..40).contains(m)).map(|minute| (minute, Some(5.0))).collect();
    let lines = picture(vec![curve("cpu", &values)], 40, 3, Paint::Marks).draw();
    let drawn: String = lines.join("\n");
    assert_eq!(
        drawn.split_whitespace().filter(|part| part.chars().any(|c| ('⠁'..='⣿').contains(&c))).count(),
        2,
        "{drawn}"
    );
}

#[test]
fn without_colours_marks_tell_curves_apart() {
    let flat = |value: f64| (0..=60).map(|minute| (minute, Some(value))).collect::<Vec<_>>();
    let lines = picture(vec![curve("host=a", &flat(1.0)), curve("host=b", &flat(9.0))], 60, 12, Paint::Marks).draw();
    assert!(lines[1].contains('■') && !lines[1].contains('●'), "{lines:#?}");
    assert_eq!(lines.last().map(String::as_str), Some("● host=a   ■ host=b"));
    let coloured =
        picture(vec![curve("host=a", &flat(1.0)), curve("host=b", &flat(9.0))], 60, 12, Paint::Colours).draw();
    assert!(coloured[1].contains("\x1b[33m⠉") && !coloured[1].contains('■'), "{coloured:#?}");
}

#[test]
fn a_chart_without_points_still_has_its_axes() {
    let lines = picture(vec![curve("cpu", &[(3, None), (4, Some(f64::NAN))])], 50, 10, Paint::Colours).draw();
    assert_eq!(lines.len(), 10);
    assert!(plain(&lines[9]).contains("00:30"), "{lines:#?}");
}

#[test]
fn the_largest_sizes_are_bounded() {
    for (columns, rows) in [(usize::MAX, 3), (70_000, 9), (1_001, 501), (5, usize::MAX)] {
        let values = [(0, Some(f64::MIN)), (1, Some(f64::MAX))];
        let lines = picture(vec![curve("x", &values)], columns, rows, Paint::Colours).draw();
        assert!(lines.len() <= MOST_ROWS && lines.iter().all(|line| plain(line).width() <= MOST_COLUMNS));
    }
}

prop_compose! {
    fn any_curve()(values in prop::collection::vec((-90i64..150, prop_oneof![
        Just(None), any::<f64>().prop_map(Some), (-100.0..100.0f64).prop_map(Some), Just(Some(7.0)),
    ]), 0..40), label in "[a-zé温 ]{0,30}") -> Curve {
        curve(&label, &values)
    }
}

proptest! {
    #[test]
    fn prop_no_size_and_no_value_breaks_the_picture(
        curves in prop::collection::vec(any_curve(), 0..12), columns in 0usize..130, rows in 0usize..45, coloured: bool,
    ) {
        let paint = if coloured { Paint::Colours } else { Paint::Marks };
        let lines = picture(curves, columns, rows, paint).draw();
        prop_assert!(lines.len() <= rows);
        for line in &lines {
            prop_assert!(plain(line).width() <= columns, "{columns} x {rows}: {:?}", plain(line));
        }
    }
}
