//! What a contender costs besides time: calls, wake-ups, switches and processor time for an echo, memory for a connection.

use std::collections::BTreeMap;

use crate::cells;
use crate::format;
use crate::line;
use crate::markdown::escaped;
use crate::statistics::median;
use model::schema::{Campaign, Cell, Phase, Point, Slab, Usage};

/// Caches that are named, of those that take most.
const CACHES: usize = 6;

/// What one echo costs, or one connection: the median over valid repeats; absent where nobody counts it.
type Figure = Option<f64>;

/// The costs of one contender at one point.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Costs {
    /// Its name.
    pub contender: String,
    /// In closed loop, under full load.
    pub closed: EchoCosts,
    /// In open loop, at the offered rate.
    pub open: EchoCosts,
    /// Growth of the server's resident memory, in bytes a connection.
    pub server_bytes: Figure,
    /// Growth of the kernel's slabs, both ends where both are on this machine, in bytes a connection.
    pub kernel_bytes: Figure,
    /// Of that, each of the kernel's caches by name, in bytes a connection; empty where they could not be read.
    pub caches: BTreeMap<String, f64>,
}

/// What one echo costs in one phase.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct EchoCosts {
    /// System calls of the server.
    pub syscalls: Figure,
    /// Returns from its wait.
    pub wakeups: Figure,
    /// Of those, the ones with nothing to do.
    pub empty_wakeups: Figure,
    /// Context switches of its threads, voluntary or not.
    pub switches: Figure,
    /// Processor time of the server, in nanoseconds.
    pub server_ns: Figure,
    /// Processor time of the generator, in nanoseconds. In open loop it spins.
    pub generator_ns: Figure,
    /// Processor time of the whole machine, in nanoseconds.
    pub system_ns: Figure,
}

impl Costs {
    /// What `contender` costs at `point`.
    pub fn of(campaign: &Campaign, point: &Point, contender: &str) -> Self {
        let cells = cells::valid(campaign, point, contender);
        let of_cells = |value: &dyn Fn(&Cell) -> Figure| {
            median(&cells.iter().filter_map(|cell| value(cell)).collect::<Vec<_>>())
        };
        let opened =
            |cell: &Cell| Some(cell.connections.as_ref()?.opened as f64).filter(|opened| *opened > 0.0);
        let names = cells.iter().flat_map(|cell| cell.slab.iter().flat_map(|slab| slab.caches.keys()));
        let cache = |name: &String| {
            let bytes = |cell: &Cell| Some(cache_bytes(cell.slab.as_ref()?, name) / opened(cell)?);
            Some((name.clone(), of_cells(&bytes)?))
        };
        Self {
            contender: contender.to_owned(),
            closed: EchoCosts::of(&cells, |cell| cell.capacity.as_ref()),
            open: EchoCosts::of(&cells, |cell| cell.latency.as_ref()),
            server_bytes: of_cells(&|cell| Some(cell.server_rss_growth_bytes? as f64 / opened(cell)?)),
            kernel_bytes: of_cells(&|cell| Some(kernel_bytes(cell)? as f64 / opened(cell)?)),
            caches: names.filter_map(cache).collect(),
        }
    }
}

impl EchoCosts {
    fn of(cells: &[&Cell], phase: impl Fn(&Cell) -> Option<&Phase>) -> Self {
        let usages: Vec<&Usage> = cells
            .iter()
            .filter_map(|cell| Some(&phase(cell)?.usage))
            .filter(|usage| usage.echoes > 0)
            .collect();
        let an_echo = |value: &dyn Fn(&Usage) -> Figure| {
            let values = usages.iter().filter_map(|usage| Some(value(usage)? / usage.echoes as f64));
            median(&values.collect::<Vec<_>>())
        };
        let calls = |usage: &Usage| usage.counters?.calls;
        Self {
            // From the server's own reading where it has one.
            syscalls: median(
                &usages.iter().filter_map(|usage| usage.server_syscalls_per_echo()).collect::<Vec<_>>(),
            ),
            wakeups: an_echo(&|usage| Some(calls(usage)?.waits as f64)),
            empty_wakeups: an_echo(&|usage| Some(calls(usage)?.empty_wakeups as f64)),
            switches: an_echo(&|usage| {
                let switches = usage.server.switches?;
                Some((switches.voluntary_switches + switches.involuntary_switches) as f64)
            }),
            server_ns: an_echo(&|usage| Some(usage.server.cpu_s * 1e9)),
            generator_ns: an_echo(&|usage| Some(usage.generator.cpu_s * 1e9)),
            system_ns: an_echo(&|usage| Some(usage.system.busy_s * 1e9)),
        }
    }
}

fn kernel_bytes(cell: &Cell) -> Option<u64> {
    match &cell.slab {
        Some(slab) => slab.after_bytes.checked_sub(slab.before_bytes),
        None => cell.connections.as_ref()?.kernel_growth_bytes,
    }
}

fn cache_bytes(slab: &Slab, name: &str) -> f64 {
    let bytes =
        slab.caches.get(name).map(|cache| cache.after.saturating_sub(cache.before) * cache.object_bytes);
    bytes.unwrap_or(0) as f64
}

/// Tables of Markdown: for each point what an echo costs, and for the one with the most connections what each of them
/// takes. Ends without a newline.
pub fn markdown(campaign: &Campaign) -> String {
    let contenders: Vec<&str> = campaign.plan.scenario.contenders().collect();
    let costs_at = |point: &Point| -> Vec<Costs> {
        contenders.iter().map(|contender| Costs::of(campaign, point, contender)).collect()
    };
    let mut out = "For one echo, the median over repeats: under full load in closed loop, then after the stroke at the \
                   offered rate in open loop. A wake-up is a return from the wait; a dash stands where nobody counts."
        .to_owned();
    for point in &campaign.plan.points {
        out += &format!(
            "\n\n### {}: {}\n\n{}",
            escaped(&point.sweep),
            line::place(point),
            of_echoes(&costs_at(point))
        );
    }
    let Some(most) = campaign.plan.points.iter().max_by_key(|point| point.connections) else { return out };
    out + &format!(
        "\n\n### Memory of a connection: {}\n\nBytes a connection. The kernel's are those of both ends, and by the names of \
         its caches where they could be read.\n\n{}",
        line::place(most),
        of_memory(&costs_at(most))
    )
}

fn of_echoes(costs: &[Costs]) -> String {
    let mut lines = vec![
        "| mechanism | system calls | wake-ups | for nothing | context switches | server, µs | generator, µs | machine, µs |"
            .to_owned(),
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |".to_owned(),
    ];
    lines.extend(costs.iter().map(|costs| {
        let both = |figure: fn(&EchoCosts) -> Figure, scale: f64| {
            let [closed, open] =
                [&costs.closed, &costs.open].map(|phase| figure(phase).map(|value| value / scale));
            format!("{} / {}", told(closed), told(open))
        };
        let columns = [
            escaped(&costs.contender),
            both(|phase| phase.syscalls, 1.0),
            both(|phase| phase.wakeups, 1.0),
            both(|phase| phase.empty_wakeups, 1.0),
            both(|phase| phase.switches, 1.0),
            both(|phase| phase.server_ns, 1e3),
            told(costs.closed.generator_ns.map(|ns| ns / 1e3)),
            told(costs.closed.system_ns.map(|ns| ns / 1e3)),
        ];
        format!("| {} |", columns.join(" | "))
    }));
    lines.join("\n")
}

fn of_memory(costs: &[Costs]) -> String {
    let mut lines = vec![
        "| mechanism | server | kernel | of that, by cache |".to_owned(),
        "| --- | ---: | ---: | --- |".to_owned(),
    ];
    lines.extend(costs.iter().map(|costs| {
        let bytes = |figure: Figure| figure.map_or(format::ABSENT.to_owned(), whole);
        let mut caches: Vec<(&String, &f64)> = costs.caches.iter().collect();
        caches.sort_by(|a, b| b.1.total_cmp(a.1));
        let caches: Vec<String> = caches
            .iter()
            .take(CACHES)
            .map(|(name, bytes)| format!("{} {}", escaped(name), whole(**bytes)))
            .collect();
        let caches = if caches.is_empty() { format::ABSENT.to_owned() } else { caches.join(", ") };
        let name = escaped(&costs.contender);
        format!("| {name} | {} | {} | {caches} |", bytes(costs.server_bytes), bytes(costs.kernel_bytes))
    }));
    lines.join("\n")
}

fn told(figure: Figure) -> String {
    figure.map_or(format::ABSENT.to_owned(), format::three_digits)
}

fn whole(bytes: f64) -> String {
    format::thousands(bytes.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use model::schema::{SlabCache, Switches};

    /// A campaign whose every figure is known.
    fn campaign() -> Campaign {
        let mut campaign = testing::realistic();
        for cell in &mut campaign.cells {
            let connections = cell.connections.as_mut().expect("opened");
            connections.opened = u64::from(cell.point.connections);
            let opened = connections.opened;
            cell.server_rss_growth_bytes = Some(48 * opened);
            let tcp = SlabCache { object_bytes: 2_432, before: 10, after: 10 + 2 * opened };
            let item = SlabCache { object_bytes: 128, before: 5, after: 5 + opened };
            cell.slab = Some(Slab {
                before_bytes: 1_000,
                after_bytes: 1_000 + 8_000 * opened,
                caches: [("TCP".to_owned(), tcp), ("eventpoll_epi".to_owned(), item)].into(),
            });
            for phase in [&mut cell.capacity, &mut cell.latency].into_iter().flatten() {
                let usage = &mut phase.usage;
                let echoes = usage.echoes;
                usage.generator.cpu_s = 3e-6 * echoes as f64;
                usage.server.switches =
                    Some(Switches { voluntary_switches: echoes, involuntary_switches: echoes / 2 });
                let calls =
                    usage.counters.as_mut().and_then(|counters| counters.calls.as_mut()).expect("counted");
                (calls.waits, calls.empty_wakeups) = (echoes * 4, echoes);
            }
        }
        campaign
    }

    #[test]
    fn each_cost_is_that_of_one_echo_or_one_connection() {
        let campaign = campaign();
        let point = testing::point("idle-scaling", 10_000, 10);
        let costs = Costs::of(&campaign, &point, "epoll-lt");
        let about = |figure: Figure, expected: f64| {
            assert!(
                figure.is_some_and(|value| (value / expected - 1.0).abs() < 1e-3),
                "{figure:?}: {expected}"
            );
        };
        for phase in [costs.closed, costs.open] {
            about(phase.wakeups, 4.0);
            about(phase.empty_wakeups, 1.0);
            about(phase.switches, 1.5);
            about(phase.generator_ns, 3_000.0);
            about(phase.system_ns, 2.2 * phase.server_ns.expect("measured"));
        }
        about(costs.server_bytes, 48.0);
        about(costs.kernel_bytes, 8_000.0);
        about(costs.caches.get("TCP").copied(), 4_864.0);
        about(costs.caches.get("eventpoll_epi").copied(), 128.0);
    }

    #[test]
    fn the_tables_have_a_row_a_contender_and_the_caches_by_size() {
        let campaign = campaign();
        let text = markdown(&campaign);
        let points = campaign.plan.points.len();
        assert_eq!(text.matches("| epoll-lt | ").count(), points + 1, "{text}");
        assert!(text.contains("### idle-scaling: 10,000 connections, 10 active"), "{text}");
        assert!(text.contains("| epoll-lt | 48 | 8,000 | TCP 4,864, eventpoll\\_epi 128 |"), "{text}");
        assert!(text.contains(" | 4.00 / 4.00 | 1.00 / 1.00 | 1.50 / 1.50 | "), "{text}");
    }

    #[test]
    fn what_nobody_counts_is_a_dash() {
        let mut campaign = testing::realistic();
        for cell in &mut campaign.cells {
            (cell.server_rss_growth_bytes, cell.connections) = (None, None);
            for phase in [&mut cell.capacity, &mut cell.latency].into_iter().flatten() {
                (phase.usage.counters, phase.usage.server.switches) = (None, None);
            }
        }
        let text = markdown(&campaign);
        assert!(text.contains("| epoll-lt | – / – | – / – | – / – | – / – | "), "{text}");
        assert!(text.contains("| epoll-lt | – | – | – |"), "{text}");
    }
}
