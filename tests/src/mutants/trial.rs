//! One mutant: campaigns, then tests, up to the first that notices it.

use super::Mutant;
use super::build::Programs;
use super::copy::VARIABLE;
use super::known::Known;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The campaigns, by the simulator's arguments, what finds most in the least time first. Their seeds are
/// fixed, so that a result can be had again.
pub const CAMPAIGNS: [&str; 20] = [
    "campaign --seeds 0..100",
    "exhaustive --ops 1 --depth 1",
    "exhaustive --ops 1 --depth 1 --lose 1",
    "exhaustive --ops 1 --depth 1 --prepared full",
    "exhaustive --ops 1 --depth 1 --prepared sweep",
    "campaign --seeds 0..60 --only unplugged,power-cut",
    "campaign --seeds 0..60 --only lost-in-recovery,power-cut,nested-crash",
    "campaign --seeds 0..200 --only superblock-batch-fails,process-crash,power-cut",
    "campaign --seeds 100..220 --only idle-mount,process-crash,power-cut",
    "campaign --seeds 0..60 --only second-writer,exchanged-disk",
    "campaign --seeds 0..60 --only set-back,unplugged,power-cut",
    "campaign --seeds 0..60 --only enlarged,power-cut,no-space",
    "campaign --seeds 0..60 --only replaced-smaller,power-cut",
    "campaign --seeds 0..100 --only first-format-cut,power-cut,torn-write",
    "campaign --seeds 0..100 --only override,choice-cut,power-cut",
    "campaign --seeds 0..60 --only rot-label,misdirected-write,power-cut",
    "campaign --seeds 0..80 --beyond",
    "campaign --seeds 0..20 --long",
    "campaign --seeds 100..400",
    "exhaustive --ops 1 --depth 1 --states 2 --prepared windows",
];

/// Wall time after which a seed has no end.
const SEED_SECONDS: &str = "20";

/// Wall time after which a campaign or a test program has no end: many times what the sources as they are
/// take.
const LIMIT: Duration = Duration::from_secs(900);

/// Memory that a program may take, in KiB: a mutant may want all of it.
const MEMORY_KIB: &str = "6000000";

/// Tests that are not asked: they run the examples in documents, campaigns, and worlds that are broken on
/// purpose.
const NOT_ASKED: [&str; 4] = ["examples::", "program::", "simulation::", "broken::"];

/// Tests that take many times longer than all others: they are asked last.
const LONG: [&str; 3] = [
    "no_space::at_every_level",
    "crash::each_disk_of_a_nearly_full_pool",
    "objects::failing_reads::at_every_failing_read",
];

/// Where the host shim is.
const SHIM: &str = "hal/std-host-shim";

/// What noticed a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noticed {
    /// A campaign.
    Campaign {
        /// The simulator's arguments.
        arguments: String,
        /// The seed, where there are seeds.
        seed: Option<u64>,
        /// The kind of the failure.
        kind: String,
        /// The simulator's words.
        what: String,
    },
    /// A test.
    Test {
        /// Its name.
        name: String,
    },
}

/// Looks for what notices a mutant, or the sources as they are: what noticed it before, if that is to be
/// asked first, then campaigns. `with_tests` asks the tests too, where no campaign notices it.
///
/// # Errors
/// In words: a program cannot be run.
pub fn trial(
    programs: &Programs,
    mutant: Option<(u32, &Mutant)>,
    known: Option<&Known>,
    with_tests: bool,
) -> Result<Option<Noticed>, String> {
    let number = mutant.map_or(0, |(number, _)| number);
    let again = match known {
        Some(Known::Simulator(arguments)) => simulate(arguments, programs, number)?,
        Some(Known::Test(name)) if with_tests => one_test(programs, number, name)?,
        _ => None,
    };
    if again.is_some() {
        return Ok(again);
    }
    // The simulator stands in the shim's place.
    if mutant.is_some_and(|(_, mutant)| mutant.file.starts_with(SHIM)) {
        return if with_tests { tests(programs, number, |folder| folder.ends_with(SHIM)) } else { Ok(None) };
    }
    for campaign in &CAMPAIGNS {
        if let Some(noticed) = simulate(campaign, programs, number)? {
            return Ok(Some(noticed));
        }
    }
    if with_tests { tests(programs, number, |_| true) } else { Ok(None) }
}

/// A run of the simulator with these arguments.
fn simulate(arguments: &str, programs: &Programs, number: u32) -> Result<Option<Noticed>, String> {
    let mut command = limited(&programs.simulator.to_string_lossy(), number);
    command.args(arguments.split_whitespace()).args(["--jobs", "1", "--json"]);
    if arguments.starts_with("campaign") {
        command.args(["--failures", "1", "--limit", SEED_SECONDS]);
    }
    let noticed = |seed, kind: &str, what: &str| {
        let (arguments, kind, what) = (arguments.to_owned(), kind.to_owned(), what.to_owned());
        Some(Noticed::Campaign { arguments, seed, kind, what })
    };
    let Some((success, output)) = finish(start(command)?)? else {
        return Ok(noticed(None, "hang", "no end"));
    };
    let report: serde_json::Value = serde_json::from_str(&output).unwrap_or_default();
    Ok(match &report["failures"][0] {
        serde_json::Value::Null if success => None,
        serde_json::Value::Null => noticed(None, "panic", "the simulator ended without a report"),
        // The exhaustive run tells kind and words in one.
        serde_json::Value::String(failure) => {
            let (kind, what) = failure.split_once(": ").unwrap_or(("", failure));
            noticed(None, kind, what)
        }
        failure => noticed(
            failure["replay"].as_str().and_then(|id| id.split(':').next()?.parse().ok()),
            failure["kind"].as_str().unwrap_or_default(),
            failure["what"].as_str().unwrap_or_default(),
        ),
    })
}

/// Runs the one test of this name, in whichever program it is.
fn one_test(programs: &Programs, number: u32, name: &str) -> Result<Option<Noticed>, String> {
    for (program, folder) in &programs.tests {
        let mut command = limited(&program.to_string_lossy(), number);
        command.args(["--test-threads=1", "--exact", name]).current_dir(folder);
        if let Some(name) = first_failed(start(command)?)? {
            return Ok(Some(Noticed::Test { name }));
        }
    }
    Ok(None)
}

/// Runs the test programs up to the first test that fails.
fn tests(
    programs: &Programs,
    number: u32,
    are_asked: impl Fn(&Path) -> bool,
) -> Result<Option<Noticed>, String> {
    let skipped = |names: &[&str]| -> Vec<String> {
        names.iter().flat_map(|name| ["--skip".to_owned(), (*name).to_owned()]).collect()
    };
    let quick = skipped(&[&NOT_ASKED[..], &LONG].concat());
    let long: Vec<String> = LONG.map(str::to_owned).into();
    for arguments in [quick, long] {
        for (program, folder) in programs.tests.iter().filter(|(_, folder)| are_asked(folder)) {
            let run = |arguments: &[String]| {
                let mut command = limited(&program.to_string_lossy(), number);
                command.arg("--test-threads=1").args(arguments).current_dir(folder);
                first_failed(start(command)?)
            };
            let mut arguments = arguments.clone();
            while let Some(name) = run(&arguments)? {
                // On a machine that is busy a test of times may fail once: it does not count.
                let exactly = [name.clone(), "--exact".to_owned()];
                if name.contains(' ') || run(&exactly)?.is_some() {
                    return Ok(Some(Noticed::Test { name }));
                }
                arguments.extend(skipped(&[&name]));
            }
        }
    }
    Ok(None)
}

/// A program that is a mutant, with bounds to what it may take.
fn limited(program: &str, number: u32) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\""), program]);
    command.env(VARIABLE, number.to_string());
    command
}

fn start(mut command: Command) -> Result<Child, String> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().map_err(|error| format!("{command:?}: {error}"))
}

/// Whether a program succeeded, and all that it said; `None`, and it is ended, if it takes too long.
fn finish(mut child: Child) -> Result<Option<(bool, String)>, String> {
    let mut output = child.stdout.take().ok_or("a program without an output")?;
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.read_to_end(&mut bytes).map(|_| String::from_utf8_lossy(&bytes).into_owned());
        // The receiver is gone where it took too long.
        let _ = tell.send(read);
    });
    match told.recv_timeout(LIMIT) {
        Ok(output) => {
            let status = child.wait().map_err(|error| error.to_string())?;
            Ok(Some((status.success(), output.map_err(|error| error.to_string())?)))
        }
        Err(_) => end(child).map(|()| None),
    }
}

/// The name of the first test of a program that fails, or that it dies in; the program is ended there.
fn first_failed(mut child: Child) -> Result<Option<String>, String> {
    let output = BufReader::new(child.stdout.take().ok_or("a program without an output")?);
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    let deadline = Instant::now() + LIMIT;
    let mut last = String::from("the beginning");
    loop {
        let line = match told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                end(child)?;
                return Ok(Some(format!("no end after {last}")));
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let Some((name, how)) = line.strip_prefix("test ").and_then(|test| test.split_once(" ... ")) else {
            continue;
        };
        last = name.split(" - ").next().unwrap_or(name).to_owned();
        if how.ends_with("FAILED") {
            end(child)?;
            return Ok(Some(last));
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    Ok((!status.success()).then(|| format!("{last} (died)")))
}

fn end(mut child: Child) -> Result<(), String> {
    // It may have ended by itself meanwhile.
    let _ = child.kill();
    child.wait().map(|_| ()).map_err(|error| error.to_string())
}
