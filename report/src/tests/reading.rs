//! Results that were made up, written, and read back.

use std::fs;
use std::path::Path;

use crate::rounds::testing::{Behaviour, Shape};
use model::campaign::Campaign;
use model::read::{self, *};
use model::schema::ResultFile;

fn campaign() -> Campaign {
    Shape { starts: 2, rounds: 1, ..Shape::of(&["poll"]) }.campaign(|_, _| Behaviour::default())
}

fn refusal_of(content: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("campaign.json");
    fs::write(&path, content).expect("written");
    let error = read::campaign(&path).expect_err("refused").to_string();
    assert!(error.contains("campaign.json") && !error.contains('\n'), "{error}");
    error
}

#[test]
fn a_campaign_is_read_back_as_it_was_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("campaign.json");
    let campaign = campaign();
    let text = serde_json::to_string(&ResultFile::Campaign(campaign.clone())).expect("serialises");
    fs::write(&path, text).expect("written");
    assert_eq!(read::campaign(&path).expect("read").0, campaign);
}

#[test]
fn a_byte_order_mark_is_read_over_and_one_in_the_middle_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("campaign.json");
    let campaign = campaign();
    let text = serde_json::to_string(&ResultFile::Campaign(campaign.clone())).expect("serialises");
    fs::write(&path, format!("\u{feff}{text}")).expect("written");
    assert_eq!(read::campaign(&path).expect("read").0, campaign);
    assert_eq!(kind(&path).expect("read").as_deref(), Some("campaign"));
    assert!(refusal_of(&format!("\u{feff}\u{feff}{text}")).contains("not JSON"));
    assert!(matches!(read::measured(&path), Ok(Measured::Campaign(read, _)) if *read == campaign));
}

#[test]
fn seeds_of_64_bits_are_strings_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("campaign.json");
    let mut campaign = campaign();
    campaign.plan.seed = u64::MAX;
    let text = serde_json::to_string(&ResultFile::Campaign(campaign.clone())).expect("serialises");
    let written = r#""seed":"18446744073709551615""#;
    assert!(text.contains(written));
    fs::write(&path, &text).expect("written");
    assert_eq!(read::campaign(&path).expect("read").0, campaign);
    for (seed, said) in
        [(r#""seed":"7 or so""#, "'7 or so' is no seed"), (r#""seed":7"#, "expected a string")]
    {
        let error = refusal_of(&text.replace(written, seed));
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_packed_campaign_is_read_by_the_same_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("campaign.json");
    assert!(!exists(&path));
    let campaign = campaign();
    let file = fs::File::create(packed(&path)).expect("made");
    let mut packer = flate2::write::GzEncoder::new(file, flate2::Compression::best());
    serde_json::to_writer(&mut packer, &ResultFile::Campaign(campaign.clone())).expect("written");
    packer.finish().expect("finished");
    assert!(exists(&path) && result_name(&packed(&path)) == Some(path.clone()));
    assert_eq!(read::campaign(&path).expect("read").0, campaign);

    let whole = fs::read(packed(&path)).expect("read");
    for damaged in [&whole[..whole.len() / 2], b"hello".as_slice()] {
        fs::write(packed(&path), damaged).expect("written");
        assert!(read::campaign(&path).expect_err("refused").to_string().contains("not JSON"));
    }
}

#[test]
fn each_refusal_is_one_line_that_names_the_file() {
    assert!(
        read::campaign(Path::new("/nowhere/campaign.json"))
            .expect_err("refused")
            .to_string()
            .ends_with("no such file")
    );
    assert!(refusal_of("hello").contains("not JSON"));
    assert!(refusal_of("{}").contains("without a \"kind\""));
    assert!(refusal_of(r#"{"kind":"load"}"#).contains("not a campaign result, but \"load\""));
    assert!(refusal_of(r#"{"kind":"campaign","schema_version":1}"#).contains("damaged: missing field"));
}

#[test]
fn a_newer_schema_is_named_as_such_whatever_else_it_holds() {
    let error = refusal_of(r#"{"kind":"campaign","schema_version":99,"new":true}"#);
    assert!(error.contains("written by a newer muxbench"), "{error}");
}

#[test]
fn a_damaged_histogram_is_found_on_reading() {
    let mut campaign = campaign();
    campaign.rounds[0].slices[0].response = "aGVsbG8=".to_owned();
    let error = refusal_of(&serde_json::to_string(&ResultFile::Campaign(campaign)).expect("serialises"));
    assert!(error.contains("V2"), "{error}");
}
