//! Before something cannot be taken back: `--yes`, or the word typed at a terminal.

use crate::app::App;
use crate::output::failure::{Code, Failure};
use std::io::{self, BufRead, IsTerminal, Write};

/// Asks for `word` to be typed, unless `--yes` was given. Without a terminal there is nobody to ask.
pub(crate) fn confirm(app: &App, warning: &str, word: &str) -> Result<(), Failure> {
    if app.global.yes {
        return Ok(());
    }
    let refused =
        || Failure::new(Code::NotConfirmed, format!("{warning}; this was not confirmed")).hint("add --yes");
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(refused());
    }
    let mut stderr = anstream::stderr();
    let _ = write!(stderr, "{warning}.\nType {word} to go on: ");
    let _ = stderr.flush();
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line) {
        Ok(_) if line.trim() == word => Ok(()),
        _ => Err(refused()),
    }
}
