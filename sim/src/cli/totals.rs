//! What many runs came to, as JSON that can be joined with others'.

use super::table::{self, Rate, Row};
use dynamicfs_sim::simulation::{Bound, Counts, Failure, FaultKind, Probe};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Joins reports and shows what they come to.
pub(super) fn merge(files: &[PathBuf], json: bool, html: Option<&Path>) -> ExitCode {
    let mut sum = Totals::default();
    for file in files {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => return super::sorry("cannot read", file, &error),
        };
        match serde_json::from_str::<Totals>(&text) {
            Ok(totals) => sum.join(&totals),
            Err(error) => return super::sorry("not a report:", file, &error),
        }
    }
    sum.show(json, html)
}

/// In which runs a fault or a probe of this name can be seen; names of other versions may be anywhere.
fn bound_of(name: &str) -> Bound {
    let fault = FaultKind::ALL.iter().find(|kind| kind.name() == name).map(|kind| kind.bound());
    let probe = Probe::ALL.iter().find(|probe| probe.name() == name).map(|probe| probe.bound());
    fault.or(probe).unwrap_or(Bound::Either)
}

/// A failure, in words.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) replay: String,
    pub(super) kind: String,
    pub(super) exit_code: u8,
    pub(super) what: String,
}

impl Failed {
    pub(super) fn new(failure: &Failure) -> Self {
        Self {
            replay: failure.id.to_string(),
            kind: failure.kind.name().into(),
            exit_code: failure.kind.exit_code(),
            what: failure.what.clone(),
        }
    }
}

/// The report of a campaign, or of several joined.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub(super) struct Totals {
    pub(super) version: String,
    /// What was run: `A..B`, with `beyond` or `long`.
    pub(super) ranges: Vec<String>,
    pub(super) seeds: u64,
    pub(super) seconds: f64,
    pub(super) commits: u64,
    pub(super) operations: u64,
    pub(super) mounts: u64,
    pub(super) crashes: u64,
    pub(super) checked_recoveries: u64,
    pub(super) ios: u64,
    pub(super) simulated_seconds: f64,
    pub(super) stuck: u64,
    pub(super) run_twice: u64,
    pub(super) faults: BTreeMap<String, u64>,
    pub(super) probes: BTreeMap<String, u64>,
    pub(super) failures: Vec<Failed>,
}

impl Totals {
    pub(super) fn new(counts: &Counts) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            seeds: counts.seeds,
            commits: counts.commits,
            operations: counts.operations,
            mounts: counts.mounts,
            crashes: counts.crashes,
            checked_recoveries: counts.cycles,
            ios: counts.ios,
            simulated_seconds: counts.micros as f64 / 1e6,
            stuck: counts.stuck,
            faults: FaultKind::ALL.iter().map(|&k| (k.name().into(), counts.faults.of(k))).collect(),
            probes: Probe::ALL.iter().map(|&p| (p.name().into(), counts.probes.of(p))).collect(),
            ..Self::default()
        }
    }

    /// Adds another report.
    pub(super) fn join(&mut self, other: &Self) {
        self.version.clone_from(&other.version);
        self.ranges.extend(other.ranges.iter().cloned());
        self.seeds += other.seeds;
        self.seconds += other.seconds;
        self.commits += other.commits;
        self.operations += other.operations;
        self.mounts += other.mounts;
        self.crashes += other.crashes;
        self.checked_recoveries += other.checked_recoveries;
        self.ios += other.ios;
        self.simulated_seconds += other.simulated_seconds;
        self.stuck += other.stuck;
        self.run_twice += other.run_twice;
        for (sums, counts) in [(&mut self.faults, &other.faults), (&mut self.probes, &other.probes)] {
            counts.iter().for_each(|(name, count)| *sums.entry(name.clone()).or_default() += count);
        }
        self.failures.extend(other.failures.iter().cloned());
    }

    /// Names that were never seen, though they can be in such runs.
    pub(super) fn never<'a>(&self, counts: &'a BTreeMap<String, u64>) -> Vec<&'a str> {
        let beyond = |range: &String| range.contains(":beyond");
        let can_be = |name: &str| match bound_of(name) {
            Bound::Either => true,
            Bound::Within => !self.ranges.iter().all(beyond),
            Bound::Beyond => self.ranges.iter().any(beyond),
        };
        let never = counts.iter().filter(|&(name, &count)| count == 0 && can_be(name));
        never.map(|(name, _)| name.as_str()).collect()
    }

    /// The numbers that are not about one fault or probe.
    pub(super) fn rows(&self) -> [Row; 10] {
        [
            ("seeds", self.seeds, Rate::Shown),
            ("commits", self.commits, Rate::Shown),
            ("operations", self.operations, Rate::Shown),
            ("mounts", self.mounts, Rate::Shown),
            ("crashes", self.crashes, Rate::Shown),
            ("recoveries checked", self.checked_recoveries, Rate::Shown),
            ("I/Os", self.ios, Rate::Shown),
            ("simulated seconds", self.simulated_seconds as u64, Rate::None),
            ("run twice, the same", self.run_twice, Rate::None),
            ("ended early, rightly", self.stuck, Rate::None),
        ]
    }

    /// The exit code of a program that reports this: of several failures the gravest, 0 for none.
    pub(super) fn exit_code(&self) -> u8 {
        self.failures.iter().map(|failure| failure.exit_code).min().unwrap_or(0)
    }

    /// Prints the report, writes the page that is asked for, and says how it ended.
    pub(super) fn show(&self, json: bool, html: Option<&Path>) -> ExitCode {
        if json {
            match serde_json::to_string_pretty(self) {
                Ok(json) => say!("{json}"),
                Err(error) => {
                    eprintln!("error: {error}");
                    return ExitCode::FAILURE;
                }
            }
        } else {
            say!("{}", self.table().trim_end());
        }
        if let Some(path) = html
            && let Err(error) = std::fs::write(path, super::html::page(self))
        {
            return super::sorry("cannot write", path, &error);
        }
        ExitCode::from(self.exit_code())
    }

    /// As a table for a terminal.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "seeds {} in {:.1} s", self.ranges.join(", "), self.seconds);
        text += &table::lines(&self.rows(), self.seconds);
        for (what, counts) in [("faults", &self.faults), ("probes", &self.probes)] {
            let _ = writeln!(text, "{what}");
            for (name, count) in counts {
                let _ = writeln!(text, "  {name:<24} {count:>12}");
            }
            let never = self.never(counts);
            if !never.is_empty() {
                let _ = writeln!(text, "  never, though they can be: {}", never.join(", "));
            }
        }
        let _ = writeln!(text, "{}", table::failures(self.failures.len()));
        for failure in &self.failures {
            let _ = writeln!(text, "  {}: {}", failure.kind, failure.what);
            let _ = writeln!(text, "    replay: dynamicfs-sim replay {}", failure.replay);
        }
        text
    }
}
