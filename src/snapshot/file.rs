//! A file that takes another one's place when it is whole.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Names that are tried for the file beside: others may be at work, or have been and ended.
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
        for n in 0..NAMES_MAX {
            let mut beside = OsString::from(".");
            beside.push(name);
            beside.push(format!(".{}-{n}.partial", std::process::id()));
            let beside = path.with_file_name(beside);
            match private().open(&beside) {
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
        {
            let folder = self.path.parent().filter(|folder| *folder != Path::new(""));
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(())
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
