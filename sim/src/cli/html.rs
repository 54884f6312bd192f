//! A campaign's report as one page that needs nothing else.

use super::picture::escape;
use super::table;
use super::totals::Totals;
use dynamicfs_sim::simulation::{FaultKind, Probe};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:72em;margin:2em auto;padding:0 1em;color:#222}\
    table{border-collapse:collapse;margin:1em 0}td,th{padding:.15em .9em;border-bottom:1px solid #ddd;text-align:left}\
    td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.never{color:#c0262d}.good{color:#2a7f3f}\
    .bar{display:inline-block;vertical-align:middle;height:.7em;background:#7aa6d8}td.story{color:#666;font-size:13px}code{background:#f3f3f3;padding:.1em .3em}";

/// The page.
pub(super) fn page(totals: &Totals) -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>dynamicfs-sim</title><style>{STYLE}</style>\n\
         <h1>Simulation report</h1>\n<p>Version {}, seeds {}, {:.1} s.</p>\n",
        escape(&totals.version),
        escape(&totals.ranges.join(", ")),
        totals.seconds
    );
    let class = if totals.failures.is_empty() { "good" } else { "never" };
    let _ = writeln!(html, "<p class=\"{class}\">{}</p>", table::failures(totals.failures.len()));
    if !totals.failures.is_empty() {
        html += "<table><tr><th>failure<th>what<th>replay</tr>\n";
        for failure in &totals.failures {
            let (kind, what) = (escape(&failure.kind), escape(&failure.what));
            let replay = escape(&failure.replay);
            let _ =
                writeln!(html, "<tr><td>{kind}<td>{what}<td><code>dynamicfs-sim replay {replay}</code></tr>");
        }
        html += "</table>\n";
    }
    html += "<table><tr><th>what<th class=\"n\">count<th class=\"n\">rate</tr>\n";
    for row in totals.rows() {
        let rate = table::per_second(&row, totals.seconds);
        let _ = writeln!(html, "<tr><td>{}<td class=\"n\">{}<td class=\"n\">{rate}</tr>", row.0, row.1);
    }
    html += "</table>\n";
    html += NOTE;
    html += &counts("Faults", totals, &totals.faults, story_of_fault);
    html += &counts("Probes: rare paths that were met", totals, &totals.probes, story_of_probe);
    html + "</html>\n"
}

const NOTE: &str = "<p>Mounts, crashes and recoveries are of all runs together. A recovery is checked when everything in \
    the pool was compared and proved after a crash. A run ends early when what is left may not be mounted without an \
    override. A bar grows by one step where a count doubles; a red 0 is something that can be in such runs and never was.</p>\n";

/// What a fault of this name is; nothing is known of other versions' names.
fn story_of_fault(name: &str) -> &'static str {
    FaultKind::from_name(name).map_or("", FaultKind::story)
}

/// What a probe of this name is.
fn story_of_probe(name: &str) -> &'static str {
    Probe::ALL.iter().find(|probe| probe.name() == name).map_or("", |probe| probe.story())
}

/// Counts as bars, on a scale of powers of two; what never was is marked.
fn counts(
    title: &str,
    totals: &Totals,
    counts: &BTreeMap<String, u64>,
    story_of: fn(&str) -> &'static str,
) -> String {
    let mut html = format!("<h2>{title}</h2>\n<table>\n");
    let never = totals.never(counts);
    for (name, &count) in counts {
        let class = if never.contains(&name.as_str()) { "n never" } else { "n" };
        let width = (count + 1).ilog2() * 8;
        let (story, name) = (escape(story_of(name)), escape(name));
        let bar = format!("<span class=\"bar\" style=\"width:{width}px\"></span>");
        let _ = writeln!(
            html,
            "<tr><td>{name}<td class=\"{class}\">{count}<td>{bar}<td class=\"story\">{story}</tr>"
        );
    }
    html + "</table>\n"
}
