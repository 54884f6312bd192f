//! Walking folders of this machine, however deep they are, without following links.

use super::descent::Descent;
use super::folder::Folder;
use super::look::Look;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

/// The next thing on a walk.
#[derive(Debug)]
pub(crate) enum Step {
    /// Something in the innermost folder; [`Walk::enter`] goes down into a folder.
    Item {
        name: OsString,
        /// What it is, a link itself.
        look: io::Result<Look>,
    },
    /// All of a folder was met; [`Walk::leave`] goes up. That is due before anything else.
    Left,
}

/// A walk, in the order of names.
#[derive(Debug)]
pub(crate) struct Walk {
    descent: Descent,
    /// What is still to be met in each of the folders, from the last to the first.
    left: Vec<Vec<OsString>>,
    next: Option<Step>,
}

impl Walk {
    /// All that is in a folder; it is not left itself.
    pub(crate) fn of_folder(folder: Folder, path: &Path) -> io::Result<Self> {
        let names = names(&folder)?;
        Ok(Self { descent: Descent::new(folder, path)?, left: vec![names], next: None })
    }

    /// One thing in a folder, and what is below it.
    pub(crate) fn of_one(folder: Folder, path: &Path, name: &OsStr) -> io::Result<Self> {
        Ok(Self { descent: Descent::new(folder, path)?, left: vec![vec![name.to_owned()]], next: None })
    }

    /// What comes next, without continuing.
    pub(crate) fn peek(&mut self) -> Option<&Step> {
        if self.next.is_none() {
            self.next = self.find_next();
        }
        self.next.as_ref()
    }

    /// Goes on; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Step> {
        self.next.take().or_else(|| self.find_next())
    }

    fn find_next(&mut self) -> Option<Step> {
        let Some(name) = self.left.last_mut()?.pop() else {
            return (self.left.len() > 1).then_some(Step::Left);
        };
        let look = self.here().and_then(|folder| folder.look(&name));
        Some(Step::Item { name, look })
    }

    /// The innermost folder.
    pub(crate) fn here(&self) -> io::Result<&Folder> {
        self.descent.here()
    }

    /// What is still to be met in the innermost folder.
    pub(crate) fn names(&self) -> impl Iterator<Item = &OsString> {
        self.left.last().into_iter().flatten()
    }

    /// The path of something in the innermost folder, for messages.
    pub(crate) fn path_of(&self, name: &OsStr) -> PathBuf {
        self.descent.path_of(name)
    }

    /// The path of the innermost folder, for messages.
    pub(crate) fn path(&self) -> &Path {
        self.descent.path()
    }

    /// Goes down into a folder that was met, and opened.
    pub(crate) fn enter(&mut self, name: &OsStr, folder: Folder) -> io::Result<()> {
        let names = names(&folder)?;
        self.descent.push(name, folder)?;
        self.left.push(names);
        Ok(())
    }

    /// Goes up.
    pub(crate) fn leave(&mut self) -> io::Result<()> {
        self.left.pop();
        self.descent.pop().map(|_| ())
    }
}

fn names(folder: &Folder) -> io::Result<Vec<OsString>> {
    let mut names = folder.names()?;
    names.reverse();
    Ok(names)
}
