//! The machine's time zone.

use chrono_tz::Tz;

/// The zone of `TZ`, else that of the system, else UTC.
pub(crate) fn local() -> Tz {
    let named = std::env::var("TZ").ok().filter(|name| !name.is_empty());
    of(named.as_deref(), || iana_time_zone::get_timezone().ok())
}

fn of(named: Option<&str>, system: impl Fn() -> Option<String>) -> Tz {
    // POSIX puts a colon before names of the zone database.
    let named = named.map(|name| name.trim_start_matches(':').to_owned());
    match named.or_else(system).and_then(|name| name.parse().ok()) {
        // The same clock under the name that is read more easily.
        None | Some(Tz::Etc__UTC) => Tz::UTC,
        Some(zone) => zone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_goes_before_the_system() {
        let system = || Some("Asia/Kolkata".to_owned());
        assert_eq!(of(Some(":Europe/Berlin"), system), Tz::Europe__Berlin);
        assert_eq!(of(None, system), Tz::Asia__Kolkata);
        assert_eq!((of(None, || None), of(Some("CET-1CEST"), system)), (Tz::UTC, Tz::UTC));
        assert_eq!(of(Some("Etc/UTC"), system), Tz::UTC);
    }
}
