use std::borrow::Cow;

use proptest::prelude::*;

use super::*;

fn scan(text: &[u8]) -> Result<(), ScanError> {
    let mut scanner = Scanner::new(text);
    scanner.skip()?;
    scanner.end("the end")
}

fn complaint(text: &str) -> String {
    scan(text.as_bytes()).expect_err(text).describe(text.as_bytes())
}

fn number(text: &str) -> Number<'_> {
    let mut scanner = Scanner::new(text.as_bytes());
    assert_eq!(scanner.kind(), Ok(Kind::Number), "{text}");
    scanner.number().expect(text)
}

fn text(literal: &str) -> Result<String, &'static str> {
    let mut scanner = Scanner::new(literal.as_bytes());
    assert_eq!(scanner.kind(), Ok(Kind::Text), "{literal}");
    scanner.text().expect(literal).decode().map(Cow::into_owned)
}

#[test]
fn what_is_no_json_is_told_with_its_place() {
    for (body, expected) in [
        ("", "expected a JSON value, found the end at line 1 column 1"),
        ("[1,\n 2 3]", "expected a comma or ], found \"3\" at line 2 column 4"),
        ("[1,]", "expected a value after the comma, found \"]\" at line 1 column 4"),
        ("{\"é\":1 \"b\":2}", "expected a comma or }, found \"\\\"\" at line 1 column 8"),
        ("{\"a\":1,}", "expected a key in double quotes, found \"}\" at line 1 column 8"),
        ("{a:1}", "expected a key in double quotes, found \"a\" at line 1 column 2"),
        ("{\"a\" 1}", "expected a colon, found \"1\" at line 1 column 6"),
        ("\"a\u{1}\"", "expected an escape in place of a control character, found \"\\u{1}\" at line 1 column 3"),
        ("\"a", "expected a closing quote, found the end at line 1 column 3"),
        (r#""\q""#, "expected one of \"\\/bfnrtu after the backslash, found \"q\" at line 1 column 3"),
        (r#""\u12g4""#, "expected four hexadecimal digits, found \"g\" at line 1 column 6"),
        ("01", "expected no digit after a leading zero, found \"1\" at line 1 column 2"),
        ("-", "expected a digit, found the end at line 1 column 2"),
        ("1.", "expected a digit, found the end at line 1 column 3"),
        ("1e+", "expected a digit, found the end at line 1 column 4"),
        ("+1", "expected a JSON value, found \"+\" at line 1 column 1"),
        ("truth", "expected a JSON value, found \"t\" at line 1 column 1"),
        ("\0", "expected a JSON value, found \"\\0\" at line 1 column 1"),
        ("€", "expected a JSON value, found \"€\" at line 1 column 1"),
        ("1 2", "expected the end, found \"2\" at line 1 column 3"),
    ] {
        assert_eq!(complaint(body), expected, "{body:?}");
    }
    assert_eq!(
        scan(b"[\xFF]").expect_err("no JSON").describe_in_line(b"[\xFF]"),
        "expected a JSON value, found \"\u{FFFD}\" at column 2"
    );
}

#[test]
fn nesting_ends_at_its_bound() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(scan(nested(MAX_DEPTH).as_bytes()), Ok(()));
    assert_eq!(
        complaint(&nested(MAX_DEPTH + 1)),
        "expected at most 32 levels of nesting, found \"[\" at line 1 column 33"
    );
    assert!(complaint(&"{\"a\":".repeat(1_000_000)).starts_with("expected at most 32 levels"));
    let wide = format!("[{}]", vec![nested(3); 100].join(","));
    assert_eq!(scan(wide.as_bytes()), Ok(()), "leaving an array gives its level back");
}

#[test]
fn numbers_are_the_nearest_ones() {
    for (text, expected) in [
        ("0", 0.0),
        ("51.846000000000004", 51.846_000_000_000_004),
        ("74.93588199999998", 74.935_881_999_999_98),
        ("9007199254740993", 9_007_199_254_740_992.0),
        ("0.000000000000000001", 1e-18),
        ("1e23", 1e23),
        ("1E-400", 0.0),
        ("179769313486231570000e288", f64::MAX),
    ] {
        assert_eq!(number(text).to_f64().map(f64::to_bits), Some(expected.to_bits()), "{text}");
    }
    assert_eq!(number("-0").to_f64().map(f64::to_bits), Some((-0.0_f64).to_bits()));
    assert_eq!(number("1e400").to_f64(), None);
    assert_eq!(number(&"9".repeat(400)).to_f64(), None);
    assert_eq!(number(&format!("0.{}1", "0".repeat(100_000))).to_f64(), Some(0.0));
}

#[test]
fn whole_numbers_have_neither_point_nor_exponent() {
    assert_eq!(number("-9223372036854775808").to_i64(), Some(i64::MIN));
    for text in ["1.0", "1e3", "9223372036854775808"] {
        assert_eq!(number(text).to_i64(), None, "{text}");
    }
}

#[test]
fn escapes_mean_their_characters() {
    assert_eq!(text(r#""\"\\\/\b\f\n\r\t""#).as_deref(), Ok("\"\\/\u{8}\u{c}\n\r\t"));
    assert_eq!(text(r#""a\u00e9\u20AC\ud83d\ude00z""#).as_deref(), Ok("aé€😀z"));
    for lone in [r#""\ud83d""#, r#""\ude00""#, r#""\ud83dx""#, r#""\ud83d\u0041""#, r#""\ud83d\ud83d""#] {
        assert_eq!(text(lone), Err("holds half of a surrogate pair"), "{lone}");
    }
    let mut scanner = Scanner::new(b"\"\xC3\"");
    assert_eq!(scanner.text().expect("quoted").decode(), Err("holds bytes that are no UTF-8"));
}

#[test]
fn words_for_what_is_not_finite_are_told_apart_from_numbers() {
    for word in ["NaN", "Infinity", "-Infinity"] {
        let text = format!("[{word},1]");
        assert_eq!(scan(text.as_bytes()), Ok(()), "{word}");
        assert_eq!(Scanner::new(word.as_bytes()).kind(), Ok(Kind::NotFinite));
    }
}

/// Texts that are JSON or nearly so.
fn nearly_json() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        "[\\[\\]{},:]",
        "\"[a-z\\\\\"u0-9é]{0,4}\"",
        "-?[0-9]{1,3}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,3})?",
        Just("true".to_owned()),
        Just("null".to_owned()),
        Just(" ".to_owned()),
    ];
    let leaf = prop_oneof![
        "\"[a-z\\\\n\"]{0,4}\"",
        "-?[0-9]{1,20}(\\.[0-9]{1,20})?(e-?[0-9]{1,2})?",
        Just("false".to_owned())
    ];
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::vec(inner, 0..4).prop_map(|items| format!(
                "{{{}}}",
                items.iter().map(|i| format!("\"k\" : {i}")).collect::<Vec<_>>().join(",")
            )),
        ]
    });
    prop_oneof![tree, prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())]
}

proptest! {
    #![proptest_config(crate::wire::testing::cases(2_000))]

    #[test]
    fn prop_what_is_json_is_what_serde_json_takes(body in nearly_json()) {
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok();
        prop_assert_eq!(scan(body.as_bytes()).is_ok(), theirs, "{}", body);
    }

    #[test]
    fn prop_strings_mean_what_serde_json_reads(meant in ".{0,20}", extra in "(\\\\u[0-9a-fA-F]{4}|\\\\n|é){0,4}") {
        let literal = serde_json::to_string(&meant).expect("a string");
        let literal = format!("{}{extra}\"", &literal[..literal.len() - 1]);
        match serde_json::from_str::<String>(&literal) {
            Ok(theirs) => prop_assert_eq!(text(&literal), Ok(theirs)),
            Err(_) => prop_assert!(text(&literal).is_err()),
        }
    }

    #[test]
    fn prop_numbers_read_as_the_standard_library_reads_them(written in "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?") {
        let theirs = written.parse::<f64>().ok().filter(|value| value.is_finite());
        prop_assert_eq!(number(&written).to_f64().map(f64::to_bits), theirs.map(f64::to_bits));
        prop_assert_eq!(number(&written).to_i64(), written.parse::<i64>().ok());
    }

    #[test]
    fn prop_printed_numbers_read_back(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
        let read = number(&serde_json::to_string(&value).expect("finite")).to_f64();
        prop_assert_eq!(read.map(f64::to_bits), Some(value.to_bits()));
    }

    #[test]
    fn prop_plain_bytes_end_where_a_string_does(text in prop::collection::vec(prop_oneof![4 => 0x20..=0xFF_u8, 1 => any::<u8>()], 0..40)) {
        let naive = text.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\')).unwrap_or(text.len());
        prop_assert_eq!(plain_bytes(&text), naive);
    }

    #[test]
    fn prop_no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Err(error) = scan(&body) {
            prop_assert!(error.describe(&body).starts_with("expected "));
        }
    }
}
