//! Tests that the readers of results take any bytes: no panic, no endless loop, no memory beyond a multiple of these.

use std::fs;

use hostile::{Bound, Counting, check, check_text};

use crate::rounds::testing::{Behaviour, Shape};
use crate::testing;
use model::histogram::{self, HIGHEST_NS};
use model::schema::ResultFile;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes of the counts of a histogram of three digits over 64 bits, of its encoding, and of the one that it is added to.
const HISTOGRAM: usize = 3 << 20;

#[test]
fn a_histogram_is_read_whatever_it_is() {
    let encoded = |values: &[(u64, u64)]| {
        let mut histogram = histogram::empty();
        values.iter().for_each(|(value, count)| histogram.record_n(*value, *count).expect("in range"));
        histogram::encode(&histogram)
    };
    let examples = [
        encoded(&[]),
        encoded(&[(1, 1)]),
        encoded(&[(35_000, 1_000_000), (HIGHEST_NS, 3)]),
        encoded(&[(1_000, u64::MAX / 2)]),
    ];
    let examples: Vec<&str> = examples.iter().map(String::as_str).collect();
    let bound = Bound { bytes: HISTOGRAM, per_byte: 64 };
    check_text(&examples, bound, &|text| histogram::decode(text).is_ok());
}

/// Heads that promise gigabytes have the length and the digits in these bytes, which compression hides from changes at random.
#[test]
fn a_histogram_s_head_is_not_believed() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use std::io::Write;
    let packed = |bytes: &[u8]| {
        let mut all = vec![0x1c, 0x84, 0x93, 0x14, 0, 0, 0, 0];
        let mut packer = flate2::write::ZlibEncoder::new(&mut all, flate2::Compression::fast());
        packer.write_all(bytes).and_then(|()| packer.try_finish()).expect("into memory");
        drop(packer);
        STANDARD.encode(all)
    };
    let mut sound = Vec::new();
    let mut histogram = histogram::empty();
    histogram.record_n(35_000, 1_000).expect("in range");
    let serialiser = &mut hdrhistogram::serialization::V2Serializer::new();
    hdrhistogram::serialization::Serializer::serialize(serialiser, &histogram, &mut sound)
        .expect("into memory");
    let bound = Bound { bytes: HISTOGRAM, per_byte: 1 << 12 };
    check(&[&sound], bound, &|bytes| histogram::decode(&packed(bytes)).is_ok());
}

/// A campaign with one round.
fn small_campaign() -> String {
    let mut campaign = Shape::of(&["poll"]).campaign(|_, _| Behaviour::default());
    campaign.rounds.truncate(1);
    campaign.starts.truncate(1);
    serde_json::to_string(&ResultFile::Campaign(campaign)).expect("string keys")
}

fn small_load() -> String {
    serde_json::to_string(&ResultFile::Load(testing::load())).expect("string keys")
}

#[test]
fn a_result_file_is_read_whatever_it_is() {
    let folder = hostile::folder();
    let path = folder.path().join("result.json");
    let (campaign, load) = (small_campaign(), small_load());
    let bound = Bound { bytes: HISTOGRAM, per_byte: 256 };
    check(&[campaign.as_bytes(), load.as_bytes()], bound, &|bytes| {
        fs::write(&path, bytes).expect("written");
        model::read::measured(&path).is_ok()
    });
}

#[test]
fn a_packed_result_is_read_whatever_it_is() {
    use std::io::Write;
    let folder = hostile::folder();
    let path = folder.path().join("result.json");
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(small_load().as_bytes()).expect("into memory");
    let packed = packer.finish().expect("into memory");
    // Deflate makes at most 1,032 bytes of one, each of which may be a JSON value of its own.
    let bound = Bound { bytes: HISTOGRAM, per_byte: 1_032 * 64 };
    check(&[&packed], bound, &|bytes| {
        fs::write(folder.path().join("result.json.gz"), bytes).expect("written");
        model::read::measured(&path).is_ok()
    });
}
