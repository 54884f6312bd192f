//! The line that says how far something is, at terminals of several widths.

use crate::common::terminal::Terminal;
use crate::common::{TestPool, noise, signal};

#[test]
fn progress_fits_into_the_terminal() {
    let pool = TestPool::new(3, "64MiB", "mirror:2");
    pool.run_with_input(["put", "-", "/file"], &noise(20_000_000, 1)).ok();
    for (columns, has_bar, has_rate) in [(40, false, false), (80, true, true), (200, true, true)] {
        let arguments = ["scrub", "start", "--restart", "--throttle", "4MB"];
        let mut terminal = Terminal::sized(&pool.path(), arguments, 24, columns);
        terminal.wait_for(" left");
        signal(&terminal.child, "INT");
        // Each drawing begins at the left again.
        let drawn =
            terminal.shown.split(['\r', '\n']).map(|line| line.replace("\x1b[2K", "").trim_end().to_owned());
        let lines: Vec<String> = drawn.filter(|line| line.contains("scrub")).collect();
        let line = lines.last().unwrap();
        assert!(lines.iter().all(|line| line.chars().count() < usize::from(columns)), "{lines:?}");
        assert_eq!((line.contains('['), line.contains("B/s")), (has_bar, has_rate), "{line}");
        terminal.end();
    }
}
