//! How single values of the command line are read.

use std::time::Duration;

use metrics_core::chart::Theme;
use metrics_core::{LabelFilter, Labels, MAX_LABELS, MetricName, Timestamp, parse_duration_micros};
use metrics_http::Scopes;
use tracing_subscriber::EnvFilter;

pub(super) fn metric_name(text: &str) -> Result<MetricName, String> {
    MetricName::new(text).map_err(|error| error.to_string())
}

pub(super) fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("use key=value, such as host=a")?;
    Labels::new([(name, value)]).map_err(|error| error.to_string())?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn finite(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err("a finite number is required, such as 21.5".into()),
    }
}

/// A duration; zero too.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    if matches!(text, "0" | "0s") {
        return Ok(Duration::ZERO);
    }
    let micros = parse_duration_micros(text).map_err(|error| error.to_string())?;
    Ok(Duration::from_micros(micros.get().unsigned_abs()))
}

pub(super) fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        short if short < Duration::from_millis(1) => Err("at least 1ms is required".into()),
        long => Ok(long),
    }
}

/// An interval at which a machine's figures mean something.
pub(super) fn sampling(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        short if short < Duration::from_millis(500) => Err("at least 500ms is required".into()),
        long => Ok(long),
    }
}

/// An interval at which a store is copied.
pub(super) fn schedule(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        short if short < Duration::from_secs(1) => Err("at least 1s is required".into()),
        long => Ok(long),
    }
}

/// An interval at which a terminal is drawn.
pub(super) fn drawing(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        short if short < Duration::from_millis(200) => Err("at least 200ms is required".into()),
        long => Ok(long),
    }
}

/// Levels for all or for parts of the program, as `tracing_subscriber::EnvFilter` reads them. It takes a word that is
/// no level for the name of a part, and then shows nothing else: such a word is refused here.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word.trim()));
    let is_known = |part: &str| is_level(part.rsplit_once('=').map_or(part, |(_, level)| level));
    match text.split(',').all(is_known) && EnvFilter::try_new(text).is_ok() {
        true => Ok(text.to_owned()),
        false => {
            Err("use error, warn, info, debug, trace or off, or parts with levels, such as info,metrics_http=debug"
                .into())
        }
    }
}

pub(super) fn theme(text: &str) -> Result<Theme, String> {
    text.parse::<Theme>().map_err(|error| error.to_string())
}

/// What a token allows.
pub(super) fn scopes(text: &str) -> Result<Scopes, String> {
    text.parse::<Scopes>().map_err(|error| error.to_string())
}

/// A time to come: a duration from now on, or the time itself.
pub(super) fn expiry(text: &str) -> Result<Timestamp, String> {
    let now = Timestamp::now();
    let time = match parse_duration_micros(text) {
        Ok(micros) => now.saturating_add_micros(micros.get()),
        Err(_) => Timestamp::parse(text)
            .map_err(|_| "use a duration such as 90d, a date such as 2030-01-31, or a time of RFC 3339".to_owned())?,
    };
    match time > now {
        true => Ok(Timestamp::clamped(time.micros().div_euclid(1_000_000) * 1_000_000)),
        false => Err(format!("{time} is over")),
    }
}

/// A label filter.
pub(super) fn filter(text: &str) -> Result<LabelFilter, String> {
    text.parse::<LabelFilter>().map_err(|error| error.to_string())
}

/// A size such as `512MiB`; without a unit, bytes.
pub(super) fn size_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_at);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1_u64 << 40,
        _ => return Err("a size is required, such as 512MiB or 4GiB".into()),
    };
    let number: u64 = digits.parse().map_err(|_| "a size is required, such as 512MiB or 4GiB")?;
    number.checked_mul(unit).ok_or_else(|| "this is more than there are bytes".into())
}

/// A size that leaves room for something.
pub(super) fn size(text: &str) -> Result<u64, String> {
    match size_bytes(text)? {
        0 => Err("more than 0 is required".into()),
        bytes => Ok(bytes),
    }
}

/// A time in which something can happen.
pub(super) fn above_zero(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("more than 0 is required".into()),
        time => Ok(time),
    }
}

/// A number of things, at least one.
pub(super) fn count(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(0) | Err(_) => Err("a whole number from 1 on is required".into()),
        Ok(number) => Ok(number),
    }
}

/// A number of labels, no more than any series may have.
pub(super) fn labels(text: &str) -> Result<usize, String> {
    match count(text)? {
        many if many > MAX_LABELS => Err(format!("at most {MAX_LABELS} are possible")),
        number => Ok(number),
    }
}
