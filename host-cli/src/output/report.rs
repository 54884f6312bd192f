//! A command's result: JSON and text from one value.

use super::failure::{ErrorBody, Exit, Failure};
use super::stream;
use super::text::{BAD, Text, WARN};
use crate::options::Global;
use schemars::JsonSchema;
use serde::Serialize;

/// The version of all JSON output. A field that is added leaves it as it is; one that changes or goes raises it.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// What a command has found out or done.
pub(crate) trait Report: Serialize + JsonSchema {
    /// Says it in text.
    fn text(&self, text: &mut Text);

    /// Whether it is what was asked for, which `--quiet` does not withhold; else it only confirms what was
    /// done.
    fn is_answer(&self) -> bool {
        true
    }
}

/// A report as it is printed in JSON.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Printed<'r, T> {
    /// The version of the output's form, 1.
    schema_version: u32,
    #[serde(flatten)]
    report: &'r T,
    /// What went wrong, where the command did only a part of its work.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'r ErrorBody>,
}

/// A failure as it is printed in JSON.
#[derive(Serialize, JsonSchema)]
pub(crate) struct PrintedError<'r> {
    /// The version of the output's form, 1.
    schema_version: u32,
    /// What went wrong.
    error: &'r ErrorBody,
}

/// Where output goes, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    exact: bool,
}

impl Output {
    pub(crate) const fn new(global: &Global) -> Self {
        Self { json: global.json, quiet: global.quiet, exact: global.exact }
    }

    /// Where the arguments could not be read.
    pub(crate) const fn without_options(json: bool) -> Self {
        Self { json, quiet: true, exact: false }
    }

    /// Whether sizes are shown in bytes.
    pub(crate) const fn exact(&self) -> bool {
        self.exact
    }

    /// Prints a result.
    pub(crate) fn report<T: Report>(&self, report: &T) -> Result<(), Failure> {
        self.print(report, None)
    }

    /// Prints a result that is only a part of what was asked for, and why.
    pub(crate) fn partial<T: Report>(&self, report: &T, failure: &Failure) -> Result<(), Failure> {
        let body = failure.body();
        self.print(report, Some(&body))?;
        if !self.json {
            self.say_failure(failure);
        }
        Ok(())
    }

    /// Prints a result, and why it is not all that was wanted: the exit code.
    pub(crate) fn finish<T: Report>(&self, report: &T, shortfall: Option<&Failure>) -> Result<Exit, Failure> {
        match shortfall {
            Some(failure) => self.partial(report, failure).map(|()| failure.exit()),
            None => self.report(report).map(|()| Exit::Done),
        }
    }

    fn print<T: Report>(&self, report: &T, error: Option<&ErrorBody>) -> Result<(), Failure> {
        if self.json {
            print_json(&Printed { schema_version: SCHEMA_VERSION, report, error })?;
        } else if !self.quiet || report.is_answer() {
            let mut text = Text::new(self.exact);
            report.text(&mut text);
            stream::write(stream::for_output(&text.into_string()).as_bytes())?;
        }
        Ok(())
    }

    /// Prints why a command failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            // Where even this cannot be printed, the exit code still tells.
            let _ = print_json(&PrintedError { schema_version: SCHEMA_VERSION, error: &failure.body() });
        } else {
            self.say_failure(failure);
        }
    }

    fn say_failure(&self, failure: &Failure) {
        let mut said = format!("{BAD}error:{BAD:#} {}\n", failure.message());
        if let Some(hint) = failure.hint_text() {
            said.push_str(&format!("  {WARN}hint:{WARN:#} {hint}\n"));
        }
        stream::say(&said);
    }

    /// Tells something beside the result, on standard error: also where that is JSON, which goes to the other
    /// one.
    pub(crate) fn warn(&self, what: impl std::fmt::Display) {
        if !self.quiet {
            stream::say(&format!("{WARN}warning:{WARN:#} {what}\n"));
        }
    }
}

/// Prints one value as one line of JSON, at once.
pub(crate) fn print_line(value: &impl Serialize) -> Result<bool, Failure> {
    stream::write(&line_of(serde_json::to_vec(value))?)
}

/// A result as `--json` prints it.
pub(crate) fn to_json<T: Report>(report: &T) -> Result<Vec<u8>, Failure> {
    json(&Printed { schema_version: SCHEMA_VERSION, report, error: None })
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    line_of(serde_json::to_vec_pretty(value))
}

fn line_of(json: serde_json::Result<Vec<u8>>) -> Result<Vec<u8>, Failure> {
    let mut bytes = json.map_err(|error| Failure::host("write JSON", &error.into()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn print_json(value: &impl Serialize) -> Result<bool, Failure> {
    stream::write(&json(value)?)
}
