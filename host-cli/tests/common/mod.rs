//! A pool in a temporary folder, and the real program run on it.

pub(crate) mod gate;
pub(crate) mod hinted;
pub(crate) mod loops;
pub(crate) mod terminal;
pub(crate) mod traced;

use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What the program answered.
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    pub(crate) fn text_lossy(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.text(), self.stderr))
    }

    /// Holds the exit code to what it should be.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            code,
            "stdout: {}\nstderr: {}",
            String::from_utf8_lossy(&self.stdout),
            self.stderr
        );
        let stderr = &self.stderr;
        assert!(!stderr.contains("panicked") && !stderr.contains("backtrace"), "{stderr}");
        self
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.expect(0)
    }
}

pub(crate) struct TestPool {
    pub(crate) folder: TempDir,
}

impl TestPool {
    /// A folder without a pool.
    pub(crate) fn none() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A pool of file-backed disks.
    pub(crate) fn new(disks: usize, disk_size: &str, scheme: &str) -> Self {
        let pool = Self::none();
        pool.run(["init", "--disks", &disks.to_string(), "--disk-size", disk_size, "--scheme", scheme]).ok();
        pool
    }

    /// A pool of file-backed disks with a file `/file` of these contents.
    #[track_caller]
    pub(crate) fn with_file(disks: usize, disk_size: &str, scheme: &str, contents: &[u8]) -> Self {
        let pool = Self::new(disks, disk_size, scheme);
        pool.run_with_input(["put", "-", "/file"], contents).ok();
        pool
    }

    /// All is well: redundancy, the contents of `/file`, every block.
    #[track_caller]
    pub(crate) fn assert_well(&self, contents: &[u8]) {
        self.run(["health"]).ok();
        assert!(self.cat("/file") == contents);
        self.run(["check"]).ok();
    }

    /// The same of a portable pool, whose files are told to be no cards.
    #[track_caller]
    pub(crate) fn assert_portable_well(&self, contents: &[u8]) {
        let reasons = self.portable_reasons();
        assert!(reasons.is_empty(), "{reasons:?}");
        assert!(self.cat("/file") == contents);
        self.run(["check"]).ok();
    }

    /// What `health` says is wrong with a portable pool beside that.
    pub(crate) fn portable_reasons(&self) -> Vec<Value> {
        let health = self.json(["health"]);
        let reasons = health["reasons"].as_array().unwrap().iter();
        let is_usual =
            |reason: &&Value| reason["severity"] == "info" || reason["code"] == "DISK_TEARS_NEIGHBOURS";
        reasons.filter(|reason| !is_usual(reason)).cloned().collect()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("pool")
    }

    pub(crate) fn disk(&self, number: usize) -> PathBuf {
        self.path().join(format!("disks/disk-{number}.img"))
    }

    /// A path beside the pool.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file beside the pool.
    pub(crate) fn file(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.beside(name);
        fs::write(&path, contents).unwrap();
        path
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dynamicfs"));
        command
            .args(arguments)
            .env("DYNAMICFS_POOL", self.path())
            .env_remove("NO_COLOR")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Answer {
        answer(self.command(arguments).output().unwrap())
    }

    pub(crate) fn run_with_input<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Answer {
        let mut child = self.spawn(arguments);
        // A program that refuses what it is given does not read it to the end.
        let _ = child.stdin.take().unwrap().write_all(input);
        answer(child.wait_with_output().unwrap())
    }

    /// Starts the program with all its streams held.
    pub(crate) fn spawn<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Child {
        self.command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    pub(crate) fn json<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Value {
        let arguments: Vec<_> = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        self.run([OsStr::new("--json").to_owned()].into_iter().chain(arguments)).json()
    }

    /// A file's contents in the pool.
    #[track_caller]
    pub(crate) fn cat(&self, path: &str) -> Vec<u8> {
        self.run(["cat", path]).ok().stdout
    }

    /// A copy of the program that every user may run.
    pub(crate) fn program(&self) -> PathBuf {
        let program = self.beside("dynamicfs");
        // Not by this process. A child of another test would have the file open for writing for a moment, and
        // such a file cannot be run.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_dynamicfs")).arg(&program).status().unwrap();
        assert!(copied.success());
        program
    }

    /// Waits until a process has the pool's folder, its name and all its disks, as the system's table of
    /// locks says. A command that tried would be in its way.
    #[track_caller]
    pub(crate) fn wait_until_held(&self, by: &Child) {
        let disks = fs::read_to_string(self.path().join("pool.toml")).unwrap().matches("[[disk]]").count();
        let lock = format!(" WRITE {} ", by.id());
        wait_until("the process has the pool", || {
            let locks = fs::read_to_string("/proc/locks").unwrap();
            locks.lines().filter(|line| line.contains("FLOCK") && line.contains(&lock)).count() == disks + 2
        });
    }
}

pub(crate) fn answer(output: std::process::Output) -> Answer {
    Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Waits until a process says how far it is, as it does before it rests.
#[track_caller]
pub(crate) fn wait_for_progress(child: &mut Child) {
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.into_iter().find(|line| !line.starts_with("warning:"));
    assert!(line.as_ref().is_some_and(|line| line.contains("continues in")), "{line:?}");
}

/// Sends a signal to a process that this test started.
pub(crate) fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Bytes that look random and are always the same.
pub(crate) fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(bytes).collect()
}

/// A file of this many bytes without holes: what is a hole is passed over.
pub(crate) fn dense_file(path: &Path, bytes: u64) {
    let piece = vec![0xA5; 1 << 20];
    let mut file = fs::File::create(path).unwrap();
    for _ in 0..bytes >> 20 {
        file.write_all(&piece).unwrap();
    }
}

/// The program's own sources.
pub(crate) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Waits until a condition holds that nothing can be told of but by looking; the nap only spares the processor.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Stops a process, and waits until it has stopped.
pub(crate) fn pause(child: &Child) {
    signal(child, "STOP");
    let stat = format!("/proc/{}/stat", child.id());
    // After the name in brackets comes the state.
    wait_until("the process has stopped", || {
        fs::read_to_string(&stat).unwrap().rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    });
}

/// How far a process has read or written a file that it has open; `None` if it has not.
pub(crate) fn position(process: i32, file: &Path) -> Option<u64> {
    let process = PathBuf::from(format!("/proc/{process}"));
    let mut open = fs::read_dir(process.join("fd")).ok()?.flatten();
    let entry = open.find(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == file))?;
    let info = fs::read_to_string(process.join("fdinfo").join(entry.file_name())).ok()?;
    info.lines().find_map(|line| line.strip_prefix("pos:")?.trim().parse().ok())
}

/// Whether permissions do not stop this process.
pub(crate) fn is_superuser() -> bool {
    // SAFETY: it takes nothing and touches no memory.
    unsafe { libc::geteuid() == 0 }
}

/// Holds what the program printed to the schema of a command.
#[track_caller]
pub(crate) fn assert_valid(name: &str, answer: &Answer) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.json"));
    let schema: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let json = answer.json();
    let errors: Vec<String> = schema.iter_errors(&json).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{name}: {errors:?}: {json}");
    assert_eq!(json["schema_version"], 1);
}
