//! Before something cannot be taken back: `--yes`, or the word typed at a terminal.

use super::interrupt::{self, Ready};
use crate::app::App;
use crate::output::failure::{Code, Failure};
use crate::output::stream;
use std::io::{self, BufRead, ErrorKind, IsTerminal};

/// Asks for `word` to be typed, unless `--yes` was given. Without a terminal there is no way to ask.
pub(crate) fn confirm(app: &App, warning: &str, word: &str) -> Result<(), Failure> {
    if app.global.yes {
        return Ok(());
    }
    let refused =
        || Failure::new(Code::NotConfirmed, format!("{warning}; this was not confirmed")).hint("add --yes");
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(refused());
    }
    stream::say(&format!("{warning}.\nType {word} to continue: "));
    let typed = read_line();
    // An answer that came with the signal, or after it, is none.
    if interrupt::requested() {
        stream::say("\n");
        return Err(Failure::new(
            Code::Interrupted,
            "interrupted before this was confirmed; nothing was done",
        )
        .hint("run the same command again"));
    }
    match typed {
        Ok(line) if line.trim_ascii() == word.as_bytes() => Ok(()),
        _ => Err(refused()),
    }
}

/// Reads a line from the terminal, or what there is of one when it ends.
fn read_line() -> io::Result<Vec<u8>> {
    let mut stdin = io::stdin().lock();
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        interrupt::until_ready(&stdin, Ready::ToRead)?;
        let typed = match stdin.fill_buf() {
            Ok([]) => break,
            Ok(typed) => typed,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let length = typed.iter().position(|&byte| byte == b'\n').map_or(typed.len(), |end| end + 1);
        line.extend_from_slice(&typed[..length]);
        stdin.consume(length);
    }
    Ok(line)
}
