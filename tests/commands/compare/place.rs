//! Made-up campaigns, and a folder with copies of them.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::LazyLock;

use model::campaign::Campaign;
use model::schema::{Exclude, Point, ResultFile};
use report::rounds::testing::{Behaviour, Shape};

use crate::support::muxbench;

/// The campaign that others are compared with.
pub static CAMPAIGN: LazyLock<Campaign> = LazyLock::new(|| slowed(1.0));

/// Three candidates beside each other on a calm host, "poll" slower than the others by `factor`, which the command names.
pub fn slowed(factor: f64) -> Campaign {
    let points = [10, 100].map(|connections| Point::new("idle-scaling", connections, 10));
    let shape = Shape { points: points.into(), ..Shape::of(&["epoll-lt", "poll", "io-uring"]) };
    let mut campaign = shape.campaign(|name, _| {
        let factor = if name == "poll" { factor } else { 1.0 };
        Behaviour { noise: 0.01, ..Behaviour::times(factor, 1.0 / factor, factor) }
    });
    campaign.command = factor.to_string();
    campaign
}

/// Takes `name` out of a campaign, as a kernel or a build does that lacks what it needs.
pub fn leave_out(campaign: &mut Campaign, name: &str, reason: &str) {
    let groups = campaign.plan.points.iter_mut().flat_map(|point| &mut point.groups);
    groups.for_each(|group| group.retain(|one| one != name));
    campaign.starts.iter_mut().for_each(|start| start.candidates.retain(|one| one.candidate != name));
    campaign.rounds.iter_mut().for_each(|round| round.slices.retain(|slice| slice.candidate != name));
    campaign.plan.scenario.excludes.push(Exclude {
        mechanism: name.to_owned(),
        reason: reason.to_owned(),
        ..Exclude::default()
    });
}

/// The campaign that others are compared with, in the folder of its copies.
pub const BASE: &str = "base";

/// A folder with copies of the campaign.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        place.keep(BASE, &CAMPAIGN);
        place
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Puts a campaign into a folder of its own.
    pub fn keep(&self, name: &str, campaign: &Campaign) {
        let folder = self.path().join(name);
        fs::create_dir_all(&folder).expect("made");
        let text = serde_json::to_string(&ResultFile::Campaign(campaign.clone())).expect("serialises");
        fs::write(folder.join("campaign.json"), text).expect("written");
    }

    /// Puts a changed copy of the campaign into a folder of its own.
    pub fn copy(&self, name: &str, change: impl Fn(&mut Campaign)) {
        let mut campaign = CAMPAIGN.clone();
        change(&mut campaign);
        self.keep(name, &campaign);
    }

    /// Runs muxbench here.
    pub fn muxbench(&self, arguments: &[&str]) -> Output {
        let mut command = muxbench();
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.output().expect("muxbench starts")
    }
}

/// Two candidates for a few seconds; what is measured is of no interest here.
pub const SCENARIO: &str = r#"
name = "short"
analysis = "Is it kept, and compared?"
mechanisms = ["poll", "epoll-lt"]
reference = "epoll-lt"
rounds = { starts = 2, point_s = 0.6, slice_s = 0.01, light_per_s = 1000, busy_share = 0.5 }
load = { size_bytes = 64, protocol = "echo" }
[[sweep]]
name = "idle-scaling"
connections = ["10"]
active = "10"
"#;

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
