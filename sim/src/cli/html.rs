//! A campaign's report as one page that needs nothing else.

use super::explain::escape;
use super::totals::Totals;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}\
    table{border-collapse:collapse;margin:1em 0}td,th{padding:.15em .9em;border-bottom:1px solid #ddd;text-align:left}\
    td.n{text-align:right;font-variant-numeric:tabular-nums}.never{color:#c0262d}.good{color:#2a7f3f}\
    .bar{display:inline-block;height:.7em;background:#7aa6d8}code{background:#f3f3f3;padding:.1em .3em}";

/// The page.
pub(super) fn page(totals: &Totals) -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>dynamicfs-sim</title><style>{STYLE}</style>\n\
         <h1>Simulation report</h1>\n<p>Version {}, seeds {}, {:.1} s.</p>\n",
        escape(&totals.version),
        escape(&totals.ranges.join(", ")),
        totals.seconds
    );
    let _ = match totals.failures.len() {
        0 => writeln!(html, "<p class=\"good\">No failure.</p>"),
        n => writeln!(html, "<p class=\"never\">{n} failures.</p>"),
    };
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
    html += "<table><tr><th>what<th>count<th>a second</tr>\n";
    for (what, count) in [
        ("seeds", totals.seeds),
        ("commits", totals.commits),
        ("operations", totals.operations),
        ("mounts", totals.mounts),
        ("crashes", totals.crashes),
        ("checked recoveries", totals.checked_recoveries),
        ("I/Os", totals.ios),
        ("seeds run twice, the same", totals.run_twice),
        ("runs ended early, rightly", totals.stuck),
    ] {
        let rate = count as f64 / totals.seconds.max(1e-9);
        let _ = writeln!(html, "<tr><td>{what}<td class=\"n\">{count}<td class=\"n\">{rate:.1}</tr>");
    }
    html += "</table>\n";
    html += &counts("Faults", &totals.faults);
    html += &counts("Probes", &totals.probes);
    html + "</html>\n"
}

/// Counts as bars, on a scale of powers of two; what never was is marked.
fn counts(title: &str, counts: &BTreeMap<String, u64>) -> String {
    let mut html = format!("<h2>{title}</h2>\n<table>\n");
    for (name, &count) in counts {
        let class = if count == 0 { "n never" } else { "n" };
        let width = (count + 1).ilog2() * 8;
        let name = escape(name);
        let bar = format!("<span class=\"bar\" style=\"width:{width}px\"></span>");
        let _ = writeln!(html, "<tr><td>{name}<td class=\"{class}\">{count}<td>{bar}</tr>");
    }
    html + "</table>\n"
}
