//! The counts of a run, as more than one format lists them.

use model::schema::{Churn, LoadReport};

/// One count of a run.
pub struct Count {
    /// The things counted: `requests` or `connections`.
    pub of: &'static str,
    /// Their outcome, such as `completed` or `lost`.
    pub name: &'static str,
    /// The same in a sentence.
    pub help: &'static str,
    /// Their number.
    pub value: u64,
}

/// All counts of `report`; those of rotation and churn only where they were asked for.
pub fn all(report: &LoadReport) -> Vec<Count> {
    let mut counts = Vec::new();
    let mut add = |of, name, help, value| counts.push(Count { of, name, help, value });
    let failed = report.errors.values().sum();
    add("requests", "scheduled", "Requests whose clock started inside the window.", report.scheduled);
    add("requests", "completed", "Of those, answered correctly, however late.", report.completed);
    add("requests", "failed", "Of those, failed.", failed);
    add("requests", "outstanding", "Of those, unanswered when the drain ended.", report.outstanding);
    add("requests", "unsent", "Of the outstanding, never sent.", report.unsent);
    add("requests", "delayed", "Requests that could not be written whole at once.", report.delayed);
    let connections = &report.connections;
    add("connections", "opened", "Connections established.", connections.opened);
    add("connections", "lost", "Connections lost after they were established.", connections.lost);
    if let Some(rotated) = connections.rotated {
        add("connections", "rotated", "Connections that became active because another became idle.", rotated);
    }
    if let Some(Churn { scheduled, replaced, failed, unfinished }) = connections.churn {
        add("connections", "churn_scheduled", "Connections that were to be replaced.", scheduled);
        add("connections", "churn_replaced", "Of those, closed and opened anew.", replaced);
        add("connections", "churn_failed", "Of those, closed and impossible to open again.", failed);
        add("connections", "churn_unfinished", "Of those, not replaced when the run ended.", unfinished);
    }
    counts
}
