//! Looking after a pool: what is owed, what is wrong, and putting it right in bounded steps.
//!
//! ```text
//! survey.rs   how redundant each extent is, from the tree alone
//! check.rs    everything is read and proved, and allocated = referenced
//! counters.rs counters that outlive the process
//! step.rs     one bounded step of whatever work there is
//! ```

mod check;
mod counters;
mod step;
mod survey;

pub use check::{CheckReport, Finding};
pub use step::Work;
pub use survey::ExtentCounts;
