//! The files of the chart page, compiled into the program.

use std::sync::LazyLock;

/// A file of the page.
pub(crate) struct Asset {
    /// Name inside the folder.
    name: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: &'static [u8],
    /// Its `ETag`: weak, for it stands for the compressed form too.
    pub(crate) tag: String,
}

macro_rules! files {
    ($($name:literal)*) => { [$(($name, include_bytes!(concat!("../page/", $name)).as_slice())),*] };
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let files = files![
        "api.js"
        "card.js"
        "catalog.js"
        "chart.js"
        "charts.js"
        "colours.js"
        "controls.js"
        "docs.css"
        "dom.js"
        "draw.js"
        "empty.js"
        "export.js"
        "filter.js"
        "format.js"
        "frame.js"
        "gestures.js"
        "index.html"
        "legend.js"
        "live.js"
        "load.js"
        "lock.js"
        "main.js"
        "notices.js"
        "panel.js"
        "picker.js"
        "picture.js"
        "range.js"
        "scale.js"
        "state.js"
        "stream.js"
        "style.css"
        "suggest.js"
        "svg.js"
        "table.js"
        "theme.css"
        "theme.js"
        "times.js"
        "token.js"
        "tooltip.js"
        "zone.js"
    ];
    files.into_iter().map(|(name, bytes)| Asset::new(name, bytes)).collect()
});

impl Asset {
    fn new(name: &'static str, bytes: &'static [u8]) -> Self {
        let content_type = content_type(name).expect("every file of the page has a known ending");
        Self { name, content_type, bytes, tag: format!("W/\"{:016x}\"", fnv1a(bytes)) }
    }
}

/// The file of that name.
pub(crate) fn asset(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

fn content_type(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => return None,
    })
}

/// The hash FNV-1a of 64 bits (Fowler, Noll and Vo): tells versions of a file apart, and needs no more.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/page");
        let files = std::fs::read_dir(folder).expect("the folder exists");
        let mut names: Vec<String> =
            files.map(|file| file.expect("readable").file_name().into_string().expect("UTF-8")).collect();
        names.sort_unstable();
        let served: Vec<&str> = ASSETS.iter().map(|asset| asset.name).collect();
        assert_eq!(served, names);
    }

    #[test]
    fn tags_follow_the_bytes() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c, "from the authors' test vectors");
    }
}
