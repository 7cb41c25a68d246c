//! docs/REPRODUCTIONS.md is what results/reference/reproductions.json says. `UPDATE_PAGES=1` writes it again.

use std::fs;

use model::schema::ResultFile;
use trials::test;

use crate::root;

#[test]
fn the_page_of_reproductions_is_that_of_the_reference_result() {
    let root = root();
    let text = fs::read_to_string(root.join("results/reference/reproductions.json")).expect("committed");
    let ResultFile::Reproductions(reproductions) = serde_json::from_str(&text).expect("a result") else {
        panic!("not a result of muxbench run reproductions");
    };
    let page = report::reproductions::page(&reproductions);
    let path = root.join("docs/REPRODUCTIONS.md");
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write(&path, &page).expect("written");
    }
    assert!(fs::read_to_string(path).expect("committed") == page, "stale: see .ci/reference");
}
