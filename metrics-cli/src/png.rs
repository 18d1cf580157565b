//! A chart in pixels: an SVG drawn with a font that the program brings along, the same on every machine.

use std::sync::Arc;

use anyhow::Context;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::{Database, Source};
use resvg::usvg::{Options, Tree};

/// The font's name; the pictures name it among others.
const FONT: &str = "DejaVu Sans";

/// Draws a picture of this program's own making, one pixel for each of its pixels.
pub(crate) fn png(svg: &str) -> anyhow::Result<Vec<u8>> {
    let mut fonts = Database::new();
    for font in [dejavu::sans::regular(), dejavu::sans::bold()] {
        fonts.load_font_source(Source::Binary(Arc::new(font)));
    }
    let options = Options { fontdb: Arc::new(fonts), font_family: FONT.to_owned(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).context("the picture cannot be read")?;
    let size = tree.size().to_int_size();
    let mut pixels = Pixmap::new(size.width(), size.height()).context("a picture without pixels")?;
    resvg::render(&tree, Transform::identity(), &mut pixels.as_mut());
    pixels.encode_png().context("the pixels cannot be written as PNG")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_its_size_and_its_text_is_drawn() {
        let svg = |text: &str| {
            format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"20\">\
                 <text x=\"2\" y=\"15\" font-family=\"system-ui, DejaVu Sans\">{text}</text></svg>"
            )
        };
        let (drawn, blank) = (png(&svg("Wg")).expect("draws"), png(&svg("")).expect("draws"));
        assert!(drawn.starts_with(b"\x89PNG\r\n\x1a\n"));
        assert_eq!(&drawn[16..24], [0, 0, 0, 40, 0, 0, 0, 20], "width and height");
        assert_ne!(drawn, blank);
    }
}
