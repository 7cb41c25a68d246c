//! From a scenario to a campaign: what is measured, in which order, on which machine, and how every
//! finished round is kept.

pub mod environment;
pub mod journal;
pub mod plan;
pub mod rounds;
pub mod scenario;
pub mod server;
pub mod shell;

use journal::JournalError;

/// The campaign's file in its folder.
pub const FILE_NAME: &str = "campaign.json";

/// A campaign could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The program that serves was not found.
    #[error("cannot find the muxbench program to start servers with: {0}")]
    Program(std::io::Error),
    /// The other build is not there.
    #[error("{0}")]
    Base(String),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The final file failed; the journal holds every round.
    #[error("{0}; the journal beside it holds every finished round: free some space and use --resume")]
    Write(#[from] model::files::WriteError),
}
