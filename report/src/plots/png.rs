//! From SVG to PNG, with the embedded font and no other.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb::Database};

/// Pixels of the picture for each of the SVG's, so that text is sharp on a dense screen.
const SCALE: f32 = 2.0;

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(include_bytes!("../../assets/DejaVuSans.ttf").to_vec());
    fonts.load_font_data(include_bytes!("../../assets/DejaVuSans-Bold.ttf").to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    Arc::new(fonts)
});

/// Renders an SVG as a PNG file's bytes; the error is what the renderer said.
pub fn rendered(svg: &str) -> Result<Vec<u8>, String> {
    let options =
        Options { fontdb: FONTS.clone(), font_family: "DejaVu Sans".to_owned(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| error.to_string())?;
    let size = tree.size().to_int_size().scale_by(SCALE).ok_or("the picture has no size")?;
    let mut picture = Pixmap::new(size.width(), size.height()).ok_or("the picture is too large")?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut picture.as_mut());
    picture.encode_png().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_drawn_without_any_font_of_the_system() {
        let picture = |text: &str| {
            let svg = format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"200\" height=\"40\">\
                 <text x=\"5\" y=\"30\" font-size=\"20\" font-family=\"DejaVu Sans\">{text}</text></svg>"
            );
            rendered(&svg).expect("rendered")
        };
        let blank = picture("");
        // A glyph that the font lacks would be drawn as the same box for all of them.
        let drawn: Vec<Vec<u8>> = ["µ", "×", "–", "±", "≥", "≤", "…", "→", "σ", "·"].map(picture).into();
        for (index, one) in drawn.iter().enumerate() {
            assert_ne!(*one, blank, "{index}");
            assert!(drawn[index + 1..].iter().all(|other| other != one), "{index}");
        }
    }

    #[test]
    fn what_is_not_svg_is_an_error() {
        assert!(rendered("<svg").is_err());
    }
}
