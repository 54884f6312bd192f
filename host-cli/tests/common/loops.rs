//! Loop devices: block devices over files.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A loop device, detached when dropped.
pub(crate) struct Loop(PathBuf);

impl Loop {
    /// A device over a file. Where [`alone`] gives them, this must work.
    #[track_caller]
    pub(crate) fn attach(file: &Path, arguments: &[&str]) -> Self {
        let losetup =
            Command::new("losetup").args(["--find", "--show"]).args(arguments).arg(file).output().unwrap();
        assert!(losetup.status.success(), "losetup: {}", String::from_utf8_lossy(&losetup.stderr));
        Self(PathBuf::from(String::from_utf8(losetup.stdout).unwrap().trim()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// Takes the device off its file; the node stays, as that of a drive without a medium does.
    #[track_caller]
    pub(crate) fn detach(mut self) -> PathBuf {
        let path = std::mem::take(&mut self.0);
        let detached = Command::new("losetup").arg("--detach").arg(&path).status().unwrap();
        assert!(detached.success(), "losetup --detach {}", path.to_string_lossy());
        path
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        // The number of a device that was detached may belong to another test by now.
        if !self.0.as_os_str().is_empty() {
            let _ = Command::new("losetup").arg("--detach").arg(&self.0).output();
        }
    }
}

/// The loop devices, for one test at a time, also of other processes: what one detaches another would be
/// given. Or why there are none here.
pub(crate) fn alone() -> Result<File, String> {
    let control = File::options().read(true).write(true).open("/dev/loop-control");
    let control = control.map_err(|error| format!("/dev/loop-control: {error}"))?;
    control.lock().unwrap();
    Ok(control)
}
