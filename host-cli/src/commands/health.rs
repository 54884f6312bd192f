//! `health`: the verdict for a monitoring system, with the exit codes of the Nagios plug-ins.

use super::status::{verdict_style, verdict_word};
use crate::app::App;
use crate::host::activity::Activity;
use crate::host::times::now_rfc3339;
use crate::output::failure::{Code, ErrorBody, Failure};
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::{BOLD, Text};
use crate::pool::judge::{Judgement, Verdict};
use crate::pool::open::{Seen, look};
use crate::pool::reasons::Reason;
use crate::pool::session::Session;
use schemars::JsonSchema;
use serde::Serialize;

/// The verdict on a pool, and why.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Health {
    /// The verdict.
    status: Verdict,
    /// When it was looked at, RFC 3339 in UTC.
    timestamp: String,
    /// Why the verdict is not "healthy", the worst first.
    reasons: Vec<Reason>,
    /// More disks that may fail now before something cannot be read; null if the pool could not be opened.
    read_tolerance: Option<usize>,
    /// More disks that may fail now before the pool takes no writes; null if the pool could not be opened.
    write_tolerance: Option<usize>,
    /// Extents that are readable with less redundancy than was asked for; null if the pool could not be opened.
    degraded_extents: Option<u64>,
    /// Extents that cannot be read with the disks that are here; null if the pool could not be opened.
    unreadable_extents: Option<u64>,
    /// When the last scrub ended, RFC 3339 in UTC; null if none came to its end since the last one was started.
    last_scrub: Option<String>,
    /// What the process does that has the pool, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    activity: Option<Activity>,
    /// Why the pool could not be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<ErrorBody>,
}

/// Prints the verdict; the exit code: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
pub(crate) fn run(app: &App) -> Result<u8, Failure> {
    let health = match look(app, Health::of) {
        Ok(Seen { value, activity }) => Health { activity, ..value },
        Err(failure) => Health::without_pool(&failure),
    };
    app.out.report(&health)?;
    Ok(match health.status {
        Verdict::Healthy => 0,
        Verdict::Warning | Verdict::Degraded => 1,
        Verdict::Critical => 2,
        Verdict::Unknown => 3,
    })
}

impl Health {
    pub(crate) fn of(session: &mut Session<'_>) -> Result<Self, Failure> {
        let Judgement { verdict, reasons, extents, health, scrub, .. } = Judgement::of(session)?;
        Ok(Self {
            status: verdict,
            timestamp: now_rfc3339(),
            reasons,
            read_tolerance: Some(health.read_tolerance),
            write_tolerance: Some(health.write_tolerance),
            degraded_extents: Some(extents.readable),
            unreadable_extents: Some(extents.unreadable),
            last_scrub: scrub.completed().map(ToOwned::to_owned),
            activity: None,
            cause: None,
        })
    }

    /// A pool whose disks refuse is in a critical state; of one that is in use, or not named, nothing is known.
    fn without_pool(failure: &Failure) -> Self {
        let critical = matches!(
            failure.code(),
            Code::MembersMissing
                | Code::Diverged
                | Code::Cloned
                | Code::TooFewDisks
                | Code::Damaged
                | Code::Unreadable
        );
        Self {
            status: if critical { Verdict::Critical } else { Verdict::Unknown },
            timestamp: now_rfc3339(),
            reasons: Vec::new(),
            read_tolerance: None,
            write_tolerance: None,
            degraded_extents: None,
            unreadable_extents: None,
            last_scrub: None,
            activity: failure.body().activity,
            cause: Some(failure.body()),
        }
    }
}

impl Report for Health {
    fn text(&self, text: &mut Text) {
        let style = verdict_style(self.status);
        let word = verdict_word(self.status);
        if let Some(cause) = &self.cause {
            text.line(format_args!("{style}{word}{style:#}: {}", cause.message));
            if let Some(hint) = &cause.hint {
                text.line(format_args!("next: {hint}"));
            }
            return;
        }
        let read = size::count(self.read_tolerance.unwrap_or(0) as u64, "more disk");
        let write = size::count(self.write_tolerance.unwrap_or(0) as u64, "more disk");
        text.line(format_args!("{style}{word}{style:#}: {read} may fail for reading, {write} for writing"));
        if let Some(activity) = &self.activity {
            text.line(format_args!("in use by {}", activity.words()));
        }
        for reason in &self.reasons {
            let code = serde_json::to_value(reason.code).ok();
            let code = code.as_ref().and_then(|code| code.as_str()).unwrap_or_default();
            text.line(format_args!("{BOLD}{code}{BOLD:#} {}; next: {}", reason.message, reason.next));
        }
    }
}
