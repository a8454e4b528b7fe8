//! The traces of a folder: which files they are, and what is read of them.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::{codec, hrt};

pub(crate) fn trace_files(folder: &Path, only: Option<&str>) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let file = path.to_string_lossy();
        let is_trace = [".hrt", ".hrt.zst", ".hrt.gz"]
            .iter()
            .any(|end| file.ends_with(end));
        if is_trace && only.is_none_or(|part| trace_name(&path).contains(part)) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The file's name up to its first dot.
pub(crate) fn trace_name(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    file.split('.').next().unwrap_or_default().to_owned()
}

pub(crate) fn load(path: &Path) -> io::Result<hrt::Columns> {
    let (mut plain, _) = codec::decoded(Box::new(File::open(path)?))?;
    hrt::read(&mut plain, REQUESTS_MAX)
}

/// As in reference.csv.
pub(crate) const REQUESTS_MAX: u64 = 2_000_000;
