//! A name in a directory of the pool, which something is to have.

use crate::host::target::temporary_name;
use crate::output::failure::{Code, Failure};
use crate::pool::path::{self, PoolPath};
use crate::pool::session::Changes;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::files::{Attributes, MakeRequest, ObjectKind, RenameMode};
use dynamicfs_core::types::ObjectId;

/// A name in a directory.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) directory: ObjectId,
    /// Empty for the root directory itself.
    pub(super) name: Vec<u8>,
}

impl Place {
    /// The place that a path names, for a file.
    pub(super) fn find(contents: &mut impl ReadObjects, to: &PoolPath) -> Result<Self, Failure> {
        let (parent, name) = to.split()?;
        if to.ends_with_slash() {
            return Err(Failure::object(Error::IsADirectory, to).hint("leave the / at the end out"));
        }
        let place = Self { directory: find_parent(contents, &parent)?, name: name.to_vec() };
        place.check_no_directory(contents).map_err(|failure| failure.while_doing(to))?;
        Ok(place)
    }

    /// The place that a path names, where a directory may be.
    pub(super) fn find_any(contents: &mut impl ReadObjects, to: &PoolPath) -> Result<Self, Failure> {
        let Ok((parent, name)) = to.split() else {
            // The contents of a folder into the root itself.
            return Ok(Self { directory: ObjectId::ROOT, name: Vec::new() });
        };
        Ok(Self { directory: find_parent(contents, &parent)?, name: name.to_vec() })
    }

    pub(super) fn check_no_directory(&self, contents: &mut impl ReadObjects) -> Result<bool, Failure> {
        match contents.lookup(self.directory, &self.name) {
            Ok(target) if target.kind == ObjectKind::Directory => Err(Error::IsADirectory.into()),
            Ok(_) => Ok(true),
            Err(Error::NotFound) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a file here, which `write` fills, in place of one that may be here already. When `write` fails,
    /// what was here is still here.
    pub(super) fn fill<'m>(
        &self,
        contents: &mut Changes<'_, 'm>,
        attributes: &Attributes,
        write: impl FnOnce(&mut Changes<'_, 'm>, ObjectId) -> Result<u64, Failure>,
    ) -> Result<(ObjectId, u64), Failure> {
        self.replace(contents, |contents, name| {
            let object = contents.create(self.directory, name, &MakeRequest::File, attributes)?;
            match write(contents, object) {
                Ok(bytes) => Ok((object, bytes)),
                Err(failure) => {
                    // Where even this fails the transaction can only be dropped, and with it the file.
                    let undone = contents.unlink(self.directory, name);
                    if is_of_one_file(failure.code()) {
                        undone?;
                    }
                    Err(failure)
                }
            }
        })
    }

    /// Runs `make`, which makes something under the name that it is given, and lets that take the place of
    /// what is here.
    pub(super) fn replace<'m, T>(
        &self,
        contents: &mut Changes<'_, 'm>,
        make: impl FnOnce(&mut Changes<'_, 'm>, &[u8]) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if !self.check_no_directory(contents)? {
            return make(contents, &self.name);
        }
        // It is gone before the transaction is durable.
        let beside = temporary_name().map_err(|error| Failure::host("draw a name", &error))?.into_bytes();
        let made = make(contents, &beside)?;
        contents.rename((self.directory, &beside), (self.directory, &self.name), RenameMode::Replace)?;
        // Two names of one object: nothing was renamed.
        match contents.unlink(self.directory, &beside) {
            Err(Error::NotFound) => Ok(made),
            done => done.map(|()| made).map_err(Into::into),
        }
    }
}

/// The directory that something is to be in.
fn find_parent(contents: &mut impl ReadObjects, parent: &PoolPath) -> Result<ObjectId, Failure> {
    path::find_directory(contents, parent).map_err(|failure| match failure.code() {
        Code::NotFound => failure.hint(format!("make it with `dynamicfs mkdir -p {}`", parent.typed())),
        _ => failure,
    })
}

/// Whether a failure concerns one file, so that the others can continue.
pub(super) const fn is_of_one_file(code: Code) -> bool {
    use Code::{
        Exists, Host, InvalidArgument, InvalidName, IsADirectory, NotADirectory, NotFound, SourceChanged,
    };
    matches!(
        code,
        Exists
            | Host
            | InvalidArgument
            | InvalidName
            | IsADirectory
            | NotADirectory
            | NotFound
            | SourceChanged
    )
}
