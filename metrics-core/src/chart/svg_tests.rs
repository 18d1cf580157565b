use super::*;
use crate::model::{Aggregate, Column, ColumnKind, Exactness, FrameSeries, Labels, MetricName};

fn at(minute: i64) -> Timestamp {
    Timestamp::parse("2024-02-02").expect("a date").saturating_add_micros(minute * 60_000_000)
}

fn column(aggregate: Aggregate, values: &[f64]) -> Column {
    let values = values.iter().copied().map(Some).collect();
    Column { kind: ColumnKind::Aggregate(aggregate), values, exactness: Exactness::Exact }
}

fn series(host: &str, minutes: &[i64], columns: Vec<Column>) -> FrameSeries {
    FrameSeries {
        name: MetricName::new("cpu").expect("valid"),
        labels: Labels::new([("host", host)]).expect("valid"),
        time: minutes.iter().map(|minute| at(*minute)).collect(),
        columns,
    }
}

fn frame(series: Vec<FrameSeries>) -> Frame {
    Frame { from: at(0), to: at(60), per: "minute".into(), zone: chrono_tz::Tz::UTC, series, explain: None }
}

fn drawn(frame: &Frame) -> String {
    svg(frame, &SvgOptions { title: "cpu".into(), ..SvgOptions::default() })
}

/// How many elements begin so.
fn count(picture: &str, start: &str) -> usize {
    picture.matches(start).count()
}

#[test]
fn a_gap_is_a_gap_and_a_lonely_point_a_dot() {
    let columns = vec![column(Aggregate::Avg, &[1.0, 2.0, 3.0, 2.0, 1.0, 5.0])];
    let picture = drawn(&frame(vec![series("a", &[0, 1, 2, 30, 31, 50], columns)]));
    assert_eq!((count(&picture, "<path class=\"line-0\""), count(&picture, "<circle class=\"area-0\"")), (2, 1));
}

#[test]
fn least_and_greatest_are_a_band_behind_the_average() {
    let three = |low, high| {
        vec![column(Aggregate::Avg, &[2.0, 3.0]), column(Aggregate::Min, low), column(Aggregate::Max, high)]
    };
    let picture = drawn(&frame(vec![series("a", &[0, 1], three(&[1.0, 1.0], &[9.0, 9.0]))]));
    assert_eq!((count(&picture, "<path class=\"area-0\""), count(&picture, "class=\"line-")), (1, 1));
    assert!(picture.contains(">8<"), "the scale holds the band: {picture}");
}

#[test]
fn the_ends_of_time_and_value_are_the_ends_of_the_plot() {
    let picture = drawn(&frame(vec![series("a", &[0, 60], vec![column(Aggregate::Avg, &[0.0, 10.0])])]));
    let path = picture.lines().find(|line| line.contains("class=\"line-0\"")).expect("a line");
    let d = path.split(" d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a path");
    assert!(d.ends_with("L784.0 50.0"), "the upper right corner: {d}");
}

#[test]
fn what_is_written_is_text_and_never_markup() {
    let host = "<img onerror=x>\u{ffff}\"&'";
    let pair = || vec![column(Aggregate::Avg, &[1.0, 2.0]), column(Aggregate::Count, &[1.0, 1.0])];
    let options = SvgOptions { title: "</title><script>\u{1}".into(), ..SvgOptions::default() };
    let picture = svg(&frame(vec![series(host, &[0, 1], pair())]), &options);
    assert!(!picture.contains("<img") && !picture.contains("<script") && !picture.contains('\u{1}'), "{picture}");
    assert!(picture.contains("&lt;img onerror=x&gt;\u{fffd}&quot;&amp;&#39;") && !picture.contains('\u{ffff}'));
}

#[test]
fn more_series_than_colours_are_named_in_number() {
    let all = (0..15).map(|host| series(&format!("h{host:02}"), &[0, 1], vec![column(Aggregate::Avg, &[1.0, 2.0])]));
    let picture = drawn(&frame(all.collect()));
    assert!(picture.contains(">and 5 more<"), "{picture}");
    assert_eq!(count(&picture, "<g data-curve="), MAX_CURVES);
}

#[test]
fn themes_choose_the_colours_and_sizes_are_held() {
    let frame = frame(vec![]);
    let of = |theme, width| svg(&frame, &SvgOptions { theme, width, ..SvgOptions::default() });
    assert!(of(Theme::Dark, 800).contains(DARK.page) && !of(Theme::Dark, 800).contains("<style>"));
    assert!(of(Theme::Auto, 800).contains("prefers-color-scheme") && of(Theme::Auto, 800).contains(LIGHT.page));
    assert!(of(Theme::Light, 1).contains("width=\"120\"") && of(Theme::Light, u32::MAX).contains("width=\"4000\""));
    assert!(of(Theme::Light, 800).contains("no points in this time"));
    assert_eq!(
        "blue".parse::<Theme>().map_err(|error| error.to_string()),
        Err("\"blue\" is not a theme: use auto, light or dark".into())
    );
}
