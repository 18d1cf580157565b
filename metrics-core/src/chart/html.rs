//! A chart as one page that needs nothing else: the picture, its data, and a script that shows values under the pointer.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Curve;
use super::svg::{Drawn, SvgOptions, Theme, draw};
use crate::model::Frame;

/// The page's script and styles.
const SCRIPT: &str = include_str!("page.js");
/// See [`SCRIPT`].
const STYLE: &str = include_str!("page.css");
/// What the page may do: its own script and styles, and nothing from anywhere.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'";

/// Writes a frame as a page to open, mail or keep: pointing shows values, the legend's entries hide and show curves.
pub fn html(frame: &Frame, options: &SvgOptions) -> String {
    let Drawn { text, curves, edges_px } = draw(frame, options);
    let data = json!({
        "from": frame.from.micros() / 1_000,
        "to": frame.to.micros() / 1_000,
        "zone": frame.zone.name(),
        "edges": edges_px,
        "curves": curves.iter().map(of_curve).collect::<Vec<_>>(),
    });
    let scheme = match options.theme {
        Theme::Auto => "light dark",
        Theme::Light => "light",
        Theme::Dark => "dark",
    };
    let mut page = String::with_capacity(text.len() * 2);
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"{scheme}\">\n<title>Chart</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n{text}<output hidden></output>\n</main>\n\
         <script type=\"application/json\" id=\"data\">{}</script>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        script_safe(&data)
    )
    .expect("a String takes everything");
    page
}

/// JSON that no text in it can end the script element with, or begin a comment in (html.spec.whatwg.org, "Restrictions
/// for contents of script elements").
fn script_safe(data: &Value) -> String {
    data.to_string().replace('<', "\\u003c")
}

/// `[time in milliseconds, value, least, greatest]` of each point; the last two where there is a band.
fn of_curve(curve: &Curve) -> Value {
    let mut band = curve.band.iter().flatten();
    let points = curve.pieces.iter().flatten().map(|(at, value)| {
        let at = at.micros() / 1_000;
        match band.next() {
            Some((_, low, high)) => json!([at, value, low, high]),
            None => json!([at, value]),
        }
    });
    json!({"label": curve.label, "points": points.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::fixture;

    #[test]
    fn data_cannot_leave_its_element() {
        let data = json!({"label": "</script><script>alert(1)</script><!--"});
        let safe = script_safe(&data);
        assert!(!safe.contains('<'), "{safe}");
        assert_eq!(serde_json::from_str::<Value>(&safe).expect("still JSON"), data);
    }

    #[test]
    fn a_page_is_one_file_with_its_values() {
        let page = html(&fixture::frame(), &SvgOptions::default());
        let data = page.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next()).expect("data");
        let data: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(data["zone"], "Europe/Berlin");
        assert_eq!(data["curves"][0]["points"][0], json!([1_706_832_000_000_i64, 1.5]));
        assert!(!page.contains("src=\"") && !page.contains("href=\""), "nothing is fetched");
    }
}
