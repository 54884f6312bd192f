//! What every command is given.

use crate::options::Global;
use crate::output::report::Output;

/// What every command is given.
pub(crate) struct App {
    pub(crate) global: Global,
    pub(crate) out: Output,
}
