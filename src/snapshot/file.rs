//! A file that takes another one's place when it is whole.
//!
//! # Idea         it is written beside, and renamed. Who writes has it locked, so what a process left that ended meanwhile is told from what is
//!   being written, and is deleted by the next who writes
//! # Costs        a look through the folder
//! # Not here     what is in it

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Names that are tried for the file beside: others may be at work.
const NAMES_MAX: u32 = 64;

/// The file beside, which is deleted unless it takes its place.
pub(super) struct Replacing {
    file: File,
    beside: PathBuf,
    path: PathBuf,
    is_done: bool,
}

impl Replacing {
    pub(super) fn begin(path: &Path) -> io::Result<Replacing> {
        let name = path.file_name().ok_or(ErrorKind::InvalidFilename)?;
        delete_left(folder(path), name);
        for n in 0..NAMES_MAX {
            let mut beside = OsString::from(".");
            beside.push(name);
            beside.push(format!(".{}-{n}{PARTIAL}", std::process::id()));
            let beside = path.with_file_name(beside);
            match private().open(&beside) {
                // Somebody takes it for one that was left, and deletes it.
                Ok(file) if is_taken(&file) || !is_at(&file, &beside) => {}
                Ok(file) => {
                    return Ok(Replacing {
                        file,
                        beside,
                        path: path.to_owned(),
                        is_done: false,
                    });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Puts it in its place, once it is on the disk; then that is, too.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.beside, &self.path)?;
        self.is_done = true;
        #[cfg(unix)]
        File::open(folder(&self.path))?.sync_all()?;
        Ok(())
    }
}

/// How the name of a file beside ends.
const PARTIAL: &str = ".partial";

/// Where a file is.
fn folder(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    folder.unwrap_or(Path::new("."))
}

/// Locks a file; whether another one has it locked. Where there are no locks, nobody has.
fn is_taken(file: &File) -> bool {
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// Whether a file is still the one of this name. Once it is locked, it stays that.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let at = |of: fs::Metadata| (of.dev(), of.ino());
        let own = file.metadata().map(at);
        let there = fs::symlink_metadata(path).map(at);
        own.is_ok_and(|own| there.is_ok_and(|there| own == there))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        fs::symlink_metadata(path).is_ok()
    }
}

/// Deletes what was written beside a file of this name and is being written no more. What can't be told from that stays.
fn delete_left(folder: &Path, name: &OsStr) {
    let is_beside = |file: &OsStr| {
        let file = file.as_encoded_bytes().strip_prefix(b".");
        let rest = file.and_then(|file| file.strip_prefix(name.as_encoded_bytes()));
        let rest = rest.and_then(|rest| rest.strip_prefix(b"."));
        let numbers = rest.and_then(|rest| rest.strip_suffix(PARTIAL.as_bytes()));
        numbers.is_some_and(|numbers| {
            let are_digits = |byte: &u8| byte.is_ascii_digit() || *byte == b'-';
            !numbers.is_empty() && numbers.iter().all(are_digits)
        })
    };
    for found in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_file = found.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file || !is_beside(&found.file_name()) {
            continue;
        }
        let path = found.path();
        let Ok(file) = OpenOptions::new().write(true).open(&path) else {
            continue;
        };
        // Locked until it is gone: who has just begun it takes another name, or is found to be at work.
        if file.try_lock().is_ok() && is_at(&file, &path) {
            // Who may not delete it leaves it to others.
            let _ = fs::remove_file(path);
        }
    }
}

/// For a new file, which its owner alone may read: values are in it as they are.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

impl Drop for Replacing {
    fn drop(&mut self) {
        if !self.is_done {
            // Nobody is left to be told, and the file that counts is untouched.
            let _ = fs::remove_file(&self.beside);
        }
    }
}
