//! The table, in Markdown.

use crate::measure::{Cell, Measured};
use crate::{Call, Options};
use std::fmt::Write as _;

/// One measurement in one line.
pub(crate) fn line(measured: &Measured) -> String {
    format!(
        "{:.0} certificates/s, p50 {:.2} ms, p99 {:.2} ms, bare cryptography {:.0}/s, ratio {:.2}, {:.0} % of the cores taken by others",
        measured.rate,
        measured.p50,
        measured.p99,
        measured.bare,
        measured.rate / measured.bare,
        measured.others
    )
}

/// The table of all cells, with the goals that are met or missed below it.
pub(crate) fn table(cells: &[Cell], options: &Options) -> String {
    let mut text = format!(
        "\nMedian of {} round(s) of {} s after 1 s of warm-up; P-256 everywhere; TLS 1.3, keep-alive; clients and server share \
         {} core(s).\n\n",
        options.rounds,
        options.seconds,
        std::thread::available_parallelism().map_or(0, usize::from),
    );
    text.push_str(
        "| Database | Call | Connections | Certificates/s | p50 ms | p99 ms | Bare cryptography, one core | Ratio | Ratio by CPU | Server CPU us | PostgreSQL CPU us | Client CPU us | Cores taken by others |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for cell in cells {
        let of = |value: fn(&Measured) -> f64| median(cell, value);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.0} | {:.2} | {:.2} | {:.0}/s | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} % |",
            cell.database.name(),
            cell.call.name(),
            cell.connections,
            of(|m| m.rate),
            of(|m| m.p50),
            of(|m| m.p99),
            of(|m| m.bare),
            of(|m| m.rate / m.bare),
            of(ratio_by_cpu),
            of(|m| m.server_cpu),
            of(|m| m.database_cpu),
            of(|m| m.client_cpu),
            of(|m| m.others),
        );
    }
    text.push('\n');
    for cell in cells {
        let (what, value, met, goal) = match (cell.connections, cell.call) {
            (64, Call::Sign | Call::SignDistinct) => ratio(cell, 0.35),
            (64, Call::Issue) => ratio(cell, 0.20),
            (1, _) => {
                let p50 = median(cell, |m| m.p50);
                ("p50 in ms", p50, p50 <= 1.5, "at most 1.50".to_owned())
            }
            _ => continue,
        };
        let verdict = if met { "met" } else { "MISSED" };
        let (database, call, connections) = (cell.database.name(), cell.call.name(), cell.connections);
        let _ = writeln!(
            text,
            "- {database}, {call}, {connections} connection(s): {what} {value:.2}, goal {goal}: {verdict}"
        );
    }
    text
}

/// What the ratio could at most be if every core did nothing else: from CPU times alone. On a box that is ours alone it
/// lies a little above the ratio; on a shared one it is the figure to look at.
fn ratio_by_cpu(measured: &Measured) -> f64 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let spent = measured.server_cpu + measured.database_cpu + measured.client_cpu;
    f64::from(u32::try_from(cores).unwrap_or(1)) * 1e6 / spent / measured.bare
}

fn ratio(cell: &Cell, goal: f64) -> (&'static str, f64, bool, String) {
    let ratio = median(cell, |m| m.rate / m.bare);
    ("ratio", ratio, ratio >= goal, format!("at least {goal:.2}"))
}

fn median(cell: &Cell, value: fn(&Measured) -> f64) -> f64 {
    let mut values: Vec<f64> = cell.rounds.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 {
        return upper;
    }
    (upper + values.get(middle.saturating_sub(1)).copied().unwrap_or(f64::NAN)) / 2.0
}
