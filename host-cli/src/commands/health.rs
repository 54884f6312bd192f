//! `health`: the status for a monitoring system, in the form of a Nagios plug-in. It has an exit code, the
//! worst reason in the first line, and performance data behind a bar.

use super::status::{borne, verdict_style, verdict_word};
use crate::app::App;
use crate::host::activity::Activity;
use crate::host::times::now_rfc3339;
use crate::output::failure::{Code, ErrorBody, Failure};
use crate::output::report::Report;
use crate::output::text::{BOLD, Text};
use crate::pool::judge::{Judgement, Verdict};
use crate::pool::open::{Seen, look};
use crate::pool::reasons::{Reason, Severity};
use crate::pool::session::Session;
use crate::pool::stored::Extents;
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;

/// The verdict on a pool, and why.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Health {
    /// The verdict.
    status: Verdict,
    /// When it was looked at, RFC 3339 in UTC.
    timestamp: String,
    /// Why the verdict is not "healthy", the worst first.
    reasons: Vec<Reason>,
    /// More disks that may simply be gone before something cannot be read, or the pool is not opened.
    read_tolerance: Option<usize>,
    /// More disks that may simply be gone before the pool takes no writes, or is not opened; null if it could
    /// not be now.
    write_tolerance: Option<usize>,
    /// More disks that may fail before data is lost, whether the pool is opened without them or not; null if
    /// it could not be now.
    data_tolerance: Option<usize>,
    /// More disks that may fail before the pool takes no writes, if each is taken offline first; null if it
    /// could not be opened.
    write_tolerance_if_offline_first: Option<usize>,
    /// Extents that are readable with less redundancy than was asked for; null if the pool could not be
    /// opened, or tree nodes not be read.
    degraded_extents: Option<u64>,
    /// Extents that cannot be read with the disks that are here; null if the pool could not be opened, or
    /// tree nodes not be read.
    unreadable_extents: Option<u64>,
    /// When the last scrub ended, RFC 3339 in UTC; null if none came to its end since the last one was
    /// started.
    last_scrub: Option<String>,
    /// What the process does that has the pool, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    activity: Option<Activity>,
    /// What monitoring draws graphs of.
    #[serde(skip)]
    measures: Vec<Measure>,
    /// Why the pool could not be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<ErrorBody>,
}

/// A measure that monitoring keeps: `label=value;;;least;most`.
#[derive(Debug)]
struct Measure {
    label: &'static str,
    value: u64,
    unit: &'static str,
    most: Option<u64>,
}

/// The exit code of a plug-in that cannot tell.
pub(crate) const UNKNOWN: u8 = 3;

/// Prints that there is no verdict, because nothing could be looked at; the exit code.
pub(crate) fn cannot_tell(app: &App, failure: &Failure) -> u8 {
    tell(app, &Health::without_pool(failure))
}

/// Prints the verdict; the exit code: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
pub(crate) fn run(app: &App) -> u8 {
    let health = match look(app, Health::of) {
        Ok(Seen { value, activity }) => Health { activity, ..value },
        Err(failure) => Health::without_pool(&failure),
    };
    tell(app, &health)
}

fn tell(app: &App, health: &Health) -> u8 {
    if let Err(failure) = app.out.report(health) {
        // A verdict that was not printed is none.
        app.out.failure(&failure);
        return UNKNOWN;
    }
    match health.status {
        Verdict::Healthy => 0,
        Verdict::Warning | Verdict::Degraded => 1,
        Verdict::Critical => 2,
        Verdict::Unknown => UNKNOWN,
    }
}

/// Whether arguments that make no sense were meant for `health`: monitoring takes the usual exit code for a
/// verdict.
pub(crate) fn is_meant(arguments: impl IntoIterator<Item = OsString>) -> bool {
    let mut arguments = arguments.into_iter().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--pool" | "--branch" | "--memory") => _ = arguments.next(),
            Some(option) if option.starts_with('-') => {}
            command => return command == Some("health"),
        }
    }
    false
}

impl Health {
    pub(crate) fn of(session: &mut Session<'_>) -> Result<Self, Failure> {
        let Judgement { verdict, reasons, extents, health, tolerance, room, scrub, .. } =
            Judgement::of(session)?;
        let block = u64::from(health.block_bytes);
        let raw = health.blocks * block;
        let used = raw.saturating_sub((health.free_blocks + health.dead_blocks) * block);
        let measure = |label, value, unit, most| Measure { label, value, unit, most };
        let mut measures = vec![
            measure("read_tolerance", tolerance.read() as u64, "", None),
            measure("write_tolerance", tolerance.write() as u64, "", None),
        ];
        if let Some(Extents { total, readable, unreadable, .. }) = extents {
            measures.push(measure("degraded_extents", readable, "", Some(total)));
            measures.push(measure("unreadable_extents", unreadable, "", Some(total)));
        }
        measures.push(measure("used", used, "B", Some(raw)));
        measures.extend(room.map(|room| measure("room", room.filled.usable_bytes, "B", None)));
        let scrub_age = scrub.as_ref().and_then(|scrub| scrub.whole().age_seconds());
        measures.extend(scrub_age.map(|age| measure("scrub_age", age, "s", None)));
        Ok(Self {
            status: verdict,
            timestamp: now_rfc3339(),
            reasons,
            read_tolerance: Some(tolerance.read()),
            write_tolerance: Some(tolerance.write()),
            data_tolerance: Some(tolerance.data),
            write_tolerance_if_offline_first: Some(tolerance.offline_first()),
            degraded_extents: extents.map(|extents| extents.readable),
            unreadable_extents: extents.map(|extents| extents.unreadable),
            last_scrub: scrub.as_ref().and_then(|scrub| scrub.last_whole()).map(ToOwned::to_owned),
            activity: None,
            measures,
            cause: None,
        })
    }

    /// A pool whose disks refuse is in a critical state; of one that is in use, or not named, nothing is
    /// known.
    fn without_pool(failure: &Failure) -> Self {
        let critical = matches!(
            failure.code(),
            Code::MembersMissing
                | Code::Diverged
                | Code::Cloned
                | Code::TooFewDisks
                | Code::Damaged
                | Code::Unreadable
                | Code::HostReadOnly
        );
        Self {
            status: if critical { Verdict::Critical } else { Verdict::Unknown },
            timestamp: now_rfc3339(),
            reasons: Vec::new(),
            read_tolerance: None,
            write_tolerance: None,
            data_tolerance: None,
            write_tolerance_if_offline_first: None,
            degraded_extents: None,
            unreadable_extents: None,
            last_scrub: None,
            activity: failure.body().activity,
            measures: Vec::new(),
            cause: Some(failure.body()),
        }
    }
}

impl Report for Health {
    fn text(&self, text: &mut Text) {
        let style = verdict_style(self.status);
        let word = verdict_word(self.status);
        if let Some(cause) = &self.cause {
            text.line(format_args!("{style}{word}{style:#}: {}", barless(&cause.message)));
            if let Some(hint) = &cause.hint {
                text.line(format_args!("next: {}", barless(hint)));
            }
            return;
        }
        let worst = self.reasons.first().filter(|reason| reason.severity > Severity::Info);
        let worst = worst.map_or_else(String::new, |reason| format!("{}; ", barless(&reason.message)));
        let borne = borne(self.read_tolerance.unwrap_or(0), self.write_tolerance.unwrap_or(0));
        let measures: Vec<String> = self.measures.iter().map(Measure::shown).collect();
        text.line(format_args!("{style}{word}{style:#}: {worst}{borne} | {}", measures.join(" ")));
        if let Some(activity) = &self.activity {
            text.line(format_args!("in use by {}", barless(&activity.words())));
        }
        for reason in &self.reasons {
            let code = serde_json::to_value(reason.code).ok();
            let code = code.as_ref().and_then(|code| code.as_str()).unwrap_or_default();
            let (message, next) = (barless(&reason.message), barless(&reason.next));
            text.line(format_args!("{BOLD}{code}{BOLD:#} {message}; next: {next}"));
        }
    }
}

impl Measure {
    fn shown(&self) -> String {
        let most = self.most.map_or_else(String::new, |most| most.to_string());
        format!("{}={}{};;;0;{most}", self.label, self.value, self.unit)
    }
}

/// Text without bars: what stands behind one is performance data.
fn barless(text: &str) -> String {
    text.replace('|', "\\x7c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_found_among_the_options() {
        let check = |line: &str, expected| {
            let words = line.split(' ').map(OsString::from);
            assert_eq!(is_meant(words), expected, "{line}");
        };
        check("dynamicfs health --bogus", true);
        check("dynamicfs --pool status -q health extra", true);
        check("dynamicfs --pool health status --bogus", false);
        check("dynamicfs --pool=health", false);
        check("dynamicfs", false);
    }
}
