//! One run carried by several processes: `--shard 2/3` does exactly a third of what the other options describe.
//!
//! Connection `i` of the run belongs to shard `i mod count`, so that each has its share of the active and of the idle ones, and
//! of each share the remainder goes to the first shards: 10 connections over 3 shards are 4, 3 and 3.

use model::schema::{LoadMode, Shard};

use crate::plan::options::PoolOptions;

/// The whole run that a pool is one shard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// The shard that the pool is.
    pub shard: Shard,
    /// Connections of all shards together.
    pub conns: u32,
    /// Of those, the ones that carry requests.
    pub active: u32,
}

/// The share of `shard` in `total` things: the shares of all shards add up to `total`, and differ by one at most.
pub fn share(shard: Shard, total: u64) -> u64 {
    let (number, count) = (u64::from(shard.index).saturating_sub(1), u64::from(shard.count).max(1));
    total / count + u64::from(number < total % count)
}

impl PoolOptions {
    /// The options of `shard`'s part of the run that these options describe.
    ///
    /// # Errors
    ///
    /// A sentence, when there are fewer connections than shards: the same for all of them, since what some of them did
    /// could never be merged.
    pub fn cut(self, shard: Shard) -> Result<Self, String> {
        let Self { conns, active, .. } = self;
        if conns < shard.count {
            let idle = Shard { index: conns + 1, count: shard.count };
            return Err(format!(
                "{conns} connections are too few for {} shards: from shard {idle} on there would be nothing to do; run \
                 at most {conns} shards, or more --conns",
                shard.count
            ));
        }
        if self.workload.requests.is_some() && active < shard.count {
            return Err(format!(
                "{active} active connections are too few for {} shards with --requests: one without any would not know \
                 when they are answered; run at most {active} shards, or give --duration instead",
                shard.count
            ));
        }
        let mut shards = (1..=shard.count).map(|index| Shard { index, ..shard });
        let all_active = |shard: &Shard| share(*shard, conns.into()) == share(*shard, active.into());
        if let Some(full) = shards.find(all_active).filter(|_| self.workload.rotate_s.is_some()) {
            return Err(format!(
                "--rotate needs idle connections, and shard {full} would have none: run fewer shards, or write fewer \
                 active ones, as in --active 5%"
            ));
        }
        let mine = |total: u32| share(shard, total.into()) as u32;
        let part = f64::from(mine(conns)) / f64::from(conns);
        Ok(Self {
            conns: mine(conns),
            active: mine(active),
            connect_rate: self.connect_rate.map(|rate| rate * part),
            part_of: Some(Whole { shard, conns, active }),
            ..self
        })
    }

    /// Connections of the whole run.
    pub fn whole_conns(&self) -> u32 {
        self.part_of.map_or(self.conns, |whole| whole.conns)
    }

    /// Active connections of the whole run.
    pub fn whole_active(&self) -> u32 {
        self.part_of.map_or(self.active, |whole| whole.active)
    }

    /// The part of a load that `active` of the connections carry: of a rate, which is that of all shards together, their share.
    pub fn part(&self, load: LoadMode, active: u32) -> LoadMode {
        match load {
            LoadMode::Open { rate_per_s, arrivals } => {
                let share = f64::from(active) / f64::from(self.whole_active());
                LoadMode::Open { rate_per_s: rate_per_s * share, arrivals }
            }
            closed @ LoadMode::Closed { .. } => closed,
        }
    }

    /// Active connections of the shards before this one.
    pub fn active_before(&self) -> u32 {
        self.part_of.map_or(0, |Whole { shard, active, .. }| {
            (1..shard.index).map(|index| share(Shard { index, ..shard }, active.into()) as u32).sum()
        })
    }

    /// The number of the shard, counted from 0.
    pub fn shard_number(&self) -> u32 {
        self.part_of.map_or(0, |whole| whole.shard.index - 1)
    }

    /// The number of connection `index` of this pool in the whole run.
    pub fn connection_id(&self, index: u32) -> u32 {
        self.part_of.map_or(index, |whole| index * whole.shard.count + whole.shard.index - 1)
    }
}

/// Parses `--shard`: `2/3` is the second of three.
///
/// # Errors
///
/// A sentence that says what is accepted.
pub fn parse(text: &str) -> Result<Shard, String> {
    let wrong = || format!("'{text}' is not a shard: write 2/3 for the second of three");
    let (index, count) = text.split_once('/').ok_or_else(wrong)?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { text.parse::<u32>().map_err(|_| wrong()) } else { Err(wrong()) }
    };
    match (number(index)?, number(count)?) {
        (_, 0) => Err(wrong()),
        (index, count) if (1..=count).contains(&index) => Ok(Shard { index, count }),
        (_, count) => Err(format!(
            "'{text}' is not a shard: they are counted from 1, so write 1/{count} to {count}/{count}"
        )),
    }
}

/// The shard that a Kubernetes Indexed Job or a Slurm array makes of this process, and by which variables; `variable` looks
/// up one of them in the environment.
///
/// # Errors
///
/// A sentence, when only some of the variables are there or they make no sense: to do the whole load then would do it
/// several times.
pub fn from_environment(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<(Shard, String)>, String> {
    let kubernetes = variable("JOB_COMPLETION_INDEX");
    let slurm = variable("SLURM_ARRAY_TASK_ID");
    match (kubernetes, slurm) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            Err("both JOB_COMPLETION_INDEX and SLURM_ARRAY_TASK_ID are set: say which shard this is with --shard i/N"
                .into())
        }
        (Some(_), None) => of_an_indexed_job(&variable).map(Some),
        (None, Some(_)) => of_an_array(&variable).map(Some),
    }
}

/// A whole number from the environment.
fn number(variable: &impl Fn(&str) -> Option<String>, name: &str, advice: &str) -> Result<u32, String> {
    let text = variable(name).ok_or_else(|| format!("{name} is not set: {advice}"))?;
    text.parse().map_err(|_| format!("{name} is '{text}', which is no count: {advice}"))
}

/// Kubernetes tells a pod its index, from 0, but not how many there are: the manifest has to.
fn of_an_indexed_job(variable: &impl Fn(&str) -> Option<String>) -> Result<(Shard, String), String> {
    const ADVICE: &str =
        "in an Indexed Job, set JOB_COMPLETIONS in the manifest to its completions, or give --shard i/N";
    let index = number(variable, "JOB_COMPLETION_INDEX", ADVICE)?;
    let count = number(variable, "JOB_COMPLETIONS", ADVICE)?;
    let how = format!("JOB_COMPLETION_INDEX={index} JOB_COMPLETIONS={count}");
    if index >= count {
        return Err(format!("{how}: indices end below the count; {ADVICE}"));
    }
    Ok((Shard { index: index + 1, count }, how))
}

/// Slurm tells a task its number and the array's first, last, step and count (sbatch(1), OUTPUT ENVIRONMENT VARIABLES).
fn of_an_array(variable: &impl Fn(&str) -> Option<String>) -> Result<(Shard, String), String> {
    const ADVICE: &str = "submit a plain range, for example --array=0-3, or give --shard i/N";
    let read = |name: &str| number(variable, name, ADVICE);
    let optional = |name: &str| variable(name).map(|_| read(name)).transpose();
    let (id, min, count) =
        (read("SLURM_ARRAY_TASK_ID")?, read("SLURM_ARRAY_TASK_MIN")?, read("SLURM_ARRAY_TASK_COUNT")?);
    let step = u64::from(optional("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1));
    let how = format!("SLURM_ARRAY_TASK_ID={id} SLURM_ARRAY_TASK_MIN={min} SLURM_ARRAY_TASK_COUNT={count}");
    // Of a list like 1,2,7 every task must notice, or some of them would put load on the server for nothing.
    let last = u64::from(min) + u64::from(count.saturating_sub(1)) * step;
    let is_range = optional("SLURM_ARRAY_TASK_MAX")?.is_none_or(|max| u64::from(max) == last);
    let from_first = u64::from(id).checked_sub(min.into()).filter(|ahead| ahead.is_multiple_of(step));
    match from_first.map(|ahead| ahead / step) {
        Some(index) if is_range && index < u64::from(count) => {
            Ok((Shard { index: index as u32 + 1, count }, how))
        }
        _ => Err(format!("{how}: the array is no plain range; {ADVICE}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::target::Target;
    use model::schema::Workload;
    use proptest::prelude::*;

    fn options(conns: u32, active: u32) -> PoolOptions {
        let target: Target = "127.0.0.1:7777".parse().expect("an address");
        PoolOptions { connect_rate: Some(100.0), ..PoolOptions::new(target, conns, active) }
    }

    fn cut(conns: u32, active: u32, count: u32) -> Vec<PoolOptions> {
        let shards = (1..=count).map(|index| options(conns, active).cut(Shard { index, count }));
        shards.collect::<Result<_, _>>().expect("as many connections as shards")
    }

    fn environment(variables: &[(&str, &str)]) -> Result<Option<(Shard, String)>, String> {
        let find = |name: &str| variables.iter().find(|(given, _)| *given == name);
        from_environment(|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn ten_connections_over_three_shards_are_four_three_and_three() {
        let shards = cut(10, 4, 3);
        assert_eq!(shards.iter().map(|shard| shard.conns).collect::<Vec<_>>(), [4, 3, 3]);
        assert_eq!(shards.iter().map(|shard| shard.active).collect::<Vec<_>>(), [2, 1, 1]);
        assert_eq!(shards[0].connect_rate, Some(40.0));
    }

    #[test]
    fn fewer_connections_than_shards_are_refused_by_all_of_them_alike() {
        let refusals: Vec<_> =
            (1..=5).map(|index| options(2, 2).cut(Shard { index, count: 5 }).expect_err("too few")).collect();
        assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "{refusals:?}");
        assert!(
            refusals[0].contains("from shard 3/5 on") && refusals[0].contains("--conns"),
            "{}",
            refusals[0]
        );
    }

    #[test]
    fn rotation_without_an_idle_connection_in_every_shard_is_refused_by_all_of_them_alike() {
        let rotating = |active| PoolOptions {
            workload: Workload { rotate_s: Some(1.0), ..Workload::default() },
            ..options(10, active)
        };
        for index in 1..=3 {
            let shard = Shard { index, count: 3 };
            // Of four, three and three connections.
            assert!(rotating(7).cut(shard).is_ok(), "three, two and two are active");
            let refusal = rotating(8).cut(shard).expect_err("three, three and two are active");
            assert!(refusal.contains("shard 2/3 would have none"), "{refusal}");
        }
    }

    #[test]
    fn a_shard_is_written_from_one() {
        assert_eq!(parse("1/1"), Ok(Shard { index: 1, count: 1 }));
        assert_eq!(parse("12/12"), Ok(Shard { index: 12, count: 12 }));
        for (wrong, advice) in
            [("0/3", "from 1"), ("4/3", "1/3 to 3/3"), ("2", "2/3"), ("1/0", "2/3"), ("+1/3", "2/3")]
        {
            let message = parse(wrong).expect_err(wrong);
            assert!(message.contains(advice), "{message}");
        }
    }

    #[test]
    fn an_indexed_job_and_an_array_say_which_shard_it_is() {
        let shard = |variables: &[(&str, &str)]| {
            environment(variables).expect("makes sense").map(|(shard, _)| shard.to_string())
        };
        assert_eq!(shard(&[]), None);
        assert_eq!(shard(&[("JOB_COMPLETION_INDEX", "0"), ("JOB_COMPLETIONS", "3")]).as_deref(), Some("1/3"));
        let array = |id, min, max, step, count| {
            shard(&[
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_MIN", min),
                ("SLURM_ARRAY_TASK_MAX", max),
                ("SLURM_ARRAY_TASK_STEP", step),
                ("SLURM_ARRAY_TASK_COUNT", count),
            ])
        };
        assert_eq!(array("3", "0", "3", "1", "4").as_deref(), Some("4/4"));
        assert_eq!(array("1", "1", "4", "1", "4").as_deref(), Some("1/4"));
        assert_eq!(array("14", "10", "14", "2", "3").as_deref(), Some("3/3"));
    }

    #[test]
    fn half_an_environment_is_an_error_and_not_the_whole_load() {
        let refusal = |variables: &[(&str, &str)], words: &str| {
            let message = environment(variables).expect_err(words);
            assert!(message.contains(words) && message.contains("--shard"), "{words}: {message}");
        };
        refusal(&[("JOB_COMPLETION_INDEX", "0")], "JOB_COMPLETIONS is not set");
        refusal(&[("JOB_COMPLETION_INDEX", "x"), ("JOB_COMPLETIONS", "3")], "'x'");
        refusal(&[("JOB_COMPLETION_INDEX", "3"), ("JOB_COMPLETIONS", "3")], "indices");
        refusal(&[("SLURM_ARRAY_TASK_ID", "1")], "SLURM_ARRAY_TASK_MIN is not set");
        refusal(&[("SLURM_ARRAY_TASK_ID", "1"), ("JOB_COMPLETION_INDEX", "1")], "both");
        // --array=1,2,7: the first task is told so as well.
        for id in ["1", "2", "7"] {
            let list = [
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_MIN", "1"),
                ("SLURM_ARRAY_TASK_MAX", "7"),
                ("SLURM_ARRAY_TASK_COUNT", "3"),
            ];
            refusal(&list, "no plain range");
        }
    }

    proptest! {
        #[test]
        fn every_connection_belongs_to_one_shard_and_the_shares_are_the_whole(
            conns in 1u32..2_000, share in 0.0f64..=1.0, count in 1u32..40,
        ) {
            prop_assume!(conns >= count);
            let active = ((f64::from(conns) * share) as u32).max(1);
            let shards = cut(conns, active, count);
            prop_assert_eq!(shards.iter().map(|shard| shard.active).sum::<u32>(), active);
            prop_assert!(shards.iter().all(|shard| shard.active <= shard.conns && shard.conns > 0));
            let mut ids: Vec<u32> =
                shards.iter().flat_map(|shard| (0..shard.conns).map(|index| shard.connection_id(index))).collect();
            ids.sort_unstable();
            prop_assert_eq!(ids, (0..conns).collect::<Vec<_>>());
            // Each carries the rate of its active connections.
            let rates: f64 = shards.iter().map(|shard| 12_345.6 * f64::from(shard.active) / f64::from(active)).sum();
            prop_assert!((rates - 12_345.6).abs() < 1e-6);
            let connect: f64 = shards.iter().filter_map(|shard| shard.connect_rate).sum();
            prop_assert!((connect - 100.0).abs() < 1e-9);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            let _ = parse(&text);
        }
    }
}
