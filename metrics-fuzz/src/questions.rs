//! Texts that ask for something, and what is answered.

use metrics_core::wire::{frame, params};
use metrics_core::{Timestamp, parse_duration_micros};

fn now() -> Timestamp {
    Timestamp::clamped(1_706_874_182_000_000)
}

/// Parameters that are taken say the same when they are written out and read again.
pub(super) fn params(data: &[u8]) {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(data).into_owned().collect();
    match params::decode(pairs, now()) {
        Ok(request) => {
            let again = params::decode(params::encode(&request), now()).expect("what was written reads back");
            assert_eq!(params::encode(&again), params::encode(&request));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A time or a duration that is taken is one that can be told.
pub(super) fn time(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(time) = params::parse_time("from", text, now()) {
        assert!((Timestamp::MIN..=Timestamp::MAX).contains(&time));
        assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
    }
    if let Ok(time) = Timestamp::parse(text) {
        assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
    }
    if let Ok(micros) = parse_duration_micros(text) {
        assert_ne!(micros.get(), 0);
    }
}

/// An answer that a client takes is one.
pub(super) fn frame(data: &[u8]) {
    match frame::decode(data) {
        Ok(frame) => assert!(frame.series.len() <= data.len()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
