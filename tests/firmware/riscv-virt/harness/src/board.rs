//! A running board.

use crate::images::{COUNT, Images};
use crate::logs::LOGGING;
use crate::program;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// How long a board may say nothing before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// A board with some disks, which has booted.
#[derive(Debug)]
pub struct Board {
    qemu: Child,
    serial: UnixStream,
    lines: Receiver<String>,
    /// All that was said and heard.
    talk: Vec<String>,
    /// Of that, what the core logged over the serial line.
    logged: Vec<String>,
}

/// What a line begins with that was logged.
const LOGGED: &str = "log ";

impl Board {
    /// Boots it with these of the disks.
    pub fn boot(images: &Images, present: [bool; COUNT]) -> Self {
        Self::start(qemu(images, present, "FIRMWARE"), present)
    }

    /// As [`boot`](Self::boot), with the firmware that logs. What it says through `defmt` is written to a
    /// file.
    pub fn boot_logging(images: &Images, present: [bool; COUNT], frames: &Path) -> Self {
        let mut command = qemu(images, present, LOGGING);
        command.args(["-semihosting-config", "enable=on,target=native"]);
        command.stdout(File::create(frames).expect("a file"));
        Self::start(command, present)
    }

    fn start(command: Command, present: [bool; COUNT]) -> Self {
        let (qemu, serial) = spawn(command);
        let mut said = BufReader::new(serial.try_clone().expect("a second handle"));
        let (teller, lines) = channel();
        thread::spawn(move || {
            while let Some(line) = whole_line(&mut said) {
                if teller.send(line).is_err() {
                    break;
                }
            }
        });
        let mut board = Self { qemu, serial, lines, talk: Vec::new(), logged: Vec::new() };
        let disks = present.iter().filter(|&&present| present).count();
        board.expect(&format!("booted with {disks} disks"));
        board
    }

    /// Starts it with all disks, which QEMU must refuse; what it says.
    pub fn refused(images: &Images) -> String {
        let mut command = qemu(images, [true; COUNT], "FIRMWARE");
        command.stderr(Stdio::piped());
        let (mut qemu, serial) = spawn(command);
        // A board that boots says so.
        let mut booted = String::new();
        BufReader::new(serial).read_line(&mut booted).expect("text");
        if !booted.is_empty() {
            qemu.kill().expect("QEMU runs");
        }
        let output = qemu.wait_with_output().expect("QEMU ends");
        assert!(booted.is_empty() && !output.status.success(), "QEMU is not refused: {booted}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Sends an order, and does not wait for what comes of it.
    pub fn order(&mut self, order: &str) {
        self.talk.push(format!("> {order}"));
        let sent = writeln!(self.serial, "{order}");
        assert!(sent.is_ok(), "{order}: the board takes no orders\n{}", self.talk());
    }

    /// Waits for the next line; none where the board has ended.
    pub fn line(&mut self) -> Option<String> {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.talk.push(line.clone());
                    let Some(logged) = line.strip_prefix(LOGGED) else { return Some(line) };
                    self.logged.push(logged.to_owned());
                }
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("the board is stuck\n{}", self.talk()),
            }
        }
    }

    /// Waits for this line, which must be the next one.
    pub fn expect(&mut self, wanted: &str) {
        let line = self.line();
        assert!(line.as_deref() == Some(wanted), "not `{wanted}`\n{}", self.talk());
    }

    /// Waits for a number behind this word, which must be the next line.
    pub fn expect_number(&mut self, word: &str) -> u32 {
        let line = self.line();
        let number = line.as_deref().and_then(|line| number_in(line, word));
        number.unwrap_or_else(|| panic!("not `{word}` and a number\n{}", self.talk()))
    }

    /// The board does what it says nothing of.
    pub fn carry_out(&mut self, order: &str) {
        self.order(order);
        self.expect("done");
    }

    /// The board has these transactions done: from the one after `from` on, so many.
    pub fn write(&mut self, from: u32, count: u32) {
        self.order(&format!("write {count}"));
        self.expect(&format!("mounted {from}"));
        (from + 1..=from + count).for_each(|number| self.expect(&format!("committed {number}")));
        self.expect("done");
    }

    /// The board finds what this transaction leaves.
    pub fn verify(&mut self, sequence: u32) {
        self.order("verify");
        self.expect(&format!("mounted {sequence}"));
        self.expect("done");
    }

    /// Switches it off.
    pub fn halt(mut self) {
        self.order("halt");
        assert_eq!(self.line(), None);
        let status = self.qemu.wait().expect("QEMU ends");
        assert!(status.success(), "{status}\n{}", self.talk());
    }

    /// What was logged over the serial line so far: a level and words.
    pub fn logged(&self) -> &[String] {
        &self.logged
    }

    /// Kills it (SIGKILL) and waits until it is gone; the lines that it still had said.
    pub fn kill(mut self) -> Vec<String> {
        self.qemu.kill().expect("QEMU runs");
        self.qemu.wait().expect("QEMU ends");
        std::iter::from_fn(|| self.line()).collect()
    }

    /// All that was said, for a failure.
    fn talk(&self) -> String {
        let skipped = self.talk.len().saturating_sub(40);
        format!("the last lines of the serial line:\n{}", self.talk[skipped..].join("\n"))
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and needs it not.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// QEMU with the board, these of the disks, and the firmware that a variable names.
///
/// Disks are written to through the host's page cache, and a flush of the board is a flush of the file. QEMU
/// tells the board that its disks have a cache to flush.
fn qemu(images: &Images, present: [bool; COUNT], firmware: &str) -> Command {
    let mut command = Command::new("qemu-system-riscv32");
    command.args(["-machine", "virt", "-m", "16M", "-bios", "none", "-display", "none", "-monitor", "none"]);
    command.args(["-chardev", "socket,id=serial,fd=0", "-serial", "chardev:serial"]);
    command.args(["-device", "virtio-rng-device,bus=virtio-mmio-bus.3", "-kernel"]);
    command.arg(program(firmware));
    for (number, path) in images.paths().iter().enumerate().filter(|(number, _)| present[*number]) {
        let file = path.to_str().expect("the folder's name is text");
        let drive = format!("if=none,id=disk{number},format=raw,cache=writeback,aio=threads,file={file}");
        let device = format!("virtio-blk-device,drive=disk{number},bus=virtio-mmio-bus.{number}");
        command.args(["-drive", &drive, "-device", &device]);
    }
    command.stdout(Stdio::null());
    command
}

/// Starts QEMU, with the other end of the board's serial line. Its output is left for the debugger's.
fn spawn(mut command: Command) -> (Child, UnixStream) {
    let (serial, its_end) = UnixStream::pair().expect("two ends");
    let qemu = command.stdin(Stdio::from(OwnedFd::from(its_end))).spawn().expect("QEMU starts");
    // With the command goes this process's handle of QEMU's end: the line ends with QEMU.
    (qemu, serial)
}

/// The number behind a word, where a line is these two.
pub fn number_in(line: &str, word: &str) -> Option<u32> {
    line.strip_prefix(word)?.strip_prefix(' ')?.parse().ok()
}

/// The next line that is whole: what was cut off by the end says nothing.
fn whole_line(said: &mut BufReader<impl Read>) -> Option<String> {
    let mut line = Vec::new();
    said.read_until(b'\n', &mut line).ok()?;
    let line = line.strip_suffix(b"\n")?;
    Some(String::from_utf8_lossy(line).into_owned())
}
