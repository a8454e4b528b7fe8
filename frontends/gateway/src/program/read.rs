//! From files to documents that were checked.
//!
//! # Idea         settings name files; a folder without settings is looked through for what can be served
//! # Costs        once a start, and at each reload
//! # Invariants   RE1 a document refers to files beside it or below, and to no others
//! # Not here     what is wrong with a document: its reader's

use std::fs;
use std::path::{Path, PathBuf};

use url::Url;

use super::settings::{ApiEntry, OperationEntry, Settings, SettingsError};
use crate::apigee::bundle::Bundle;
use crate::azure::read::{Surroundings, read};
use crate::azure::{ApiSettings, Operation};
use crate::finding::Finding;
use crate::http::Method;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) apis: Vec<ApiSettings>,
    /// Each with its folder.
    pub(super) bundles: Vec<(PathBuf, Bundle)>,
    pub(super) findings: Vec<Finding>,
}

/// The file of settings in a folder.
const SETTINGS: &str = "gateway.toml";

/// The folder of a bundle.
const BUNDLE: &str = "apiproxy";

impl Settings {
    /// Reads the settings of a folder: its `gateway.toml`, or else the bundle or every document that is there. Of several, each has its name as the
    /// beginning of its paths.
    ///
    /// # Errors
    /// What can't be read or isn't known, and where.
    pub fn of_folder(folder: &Path, backend: Option<&Url>) -> Result<Self, SettingsError> {
        let file = folder.join(SETTINGS);
        let mut settings = Self::read(file.is_file().then_some(&file))?;
        settings.folder = folder.to_owned();
        let says = !settings.azure.apis.is_empty() || !settings.apigee.bundles.is_empty();
        let is_bundle = folder.join(BUNDLE).is_dir();
        if (says || is_bundle) && backend.is_some() {
            return Err(SettingsError::backend());
        }
        if says {
            return Ok(settings);
        }
        match is_bundle {
            true => settings.apigee.bundles = vec![PathBuf::new()],
            false => settings.azure.apis = documents(folder, backend)?,
        }
        Ok(settings)
    }

    fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }
}

fn documents(folder: &Path, backend: Option<&Url>) -> Result<Vec<ApiEntry>, SettingsError> {
    let refused =
        |error: &dyn std::fmt::Display| SettingsError(format!("{}: {error}", folder.display()));
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| refused(&error))? {
        let path = entry.map_err(|error| refused(&error))?.path();
        let is_document = path.extension().is_some_and(|extension| extension == "xml");
        if let (true, Some(stem)) = (is_document, path.file_stem().and_then(|stem| stem.to_str())) {
            names.push(stem.to_owned());
        }
    }
    names.sort();
    if names.is_empty() {
        return Err(refused(
            &"neither settings (gateway.toml) nor policies (*.xml, or a folder apiproxy) are there",
        ));
    }
    let is_one = names.len() == 1;
    let entry = |name: String| ApiEntry {
        prefix: match is_one {
            true => String::new(),
            false => format!("/{name}"),
        },
        document: PathBuf::from(format!("{name}.xml")),
        id: name,
        name: None,
        backend: backend.cloned(),
        operations: Vec::new(),
    };
    Ok(names.into_iter().map(entry).collect())
}

impl Read {
    /// Reads all that settings name.
    pub(super) fn all(settings: &Settings) -> Result<Self, SettingsError> {
        let mut read = Self::default();
        for (idx, entry) in settings.azure.apis.iter().enumerate() {
            check_api(entry, &settings.azure.apis[..idx])?;
            read.api(settings, entry)?;
        }
        for folder in &settings.apigee.bundles {
            read.bundle(&settings.path(folder))?;
        }
        Ok(read)
    }

    fn bundle(&mut self, folder: &Path) -> Result<(), SettingsError> {
        let mut found = Vec::new();
        texts(folder, &folder.join(BUNDLE), &mut found)?;
        found.sort();
        let files = found.iter().map(|(path, text)| (&**path, &**text));
        let findings = match Bundle::read(files) {
            Ok(mut bundle) => {
                let warnings = std::mem::take(&mut bundle.warnings);
                self.bundles.push((folder.to_owned(), bundle));
                warnings
            }
            Err(findings) => findings,
        };
        let findings = findings.into_iter();
        self.findings
            .extend(findings.map(|finding| placed(finding, folder)));
        Ok(())
    }

    fn api(&mut self, settings: &Settings, entry: &ApiEntry) -> Result<(), SettingsError> {
        let path = settings.path(&entry.document);
        let text = text_of(&path)?;
        let around = Around {
            settings,
            folder: path.parent().unwrap_or(Path::new("")),
        };
        let (document, findings) = match read(&text, &around) {
            Ok(mut document) => {
                let warnings = std::mem::take(&mut document.warnings);
                (Some(document), warnings)
            }
            Err(findings) => (None, findings),
        };
        let file = path.display().to_string();
        let findings = findings.into_iter();
        self.findings
            .extend(findings.map(|finding| finding.in_file(&file)));
        let Some(document) = document else {
            return Ok(());
        };
        let mut api = ApiSettings::new(&entry.id, entry.backend.clone(), document);
        if let Some(name) = &entry.name {
            api.api.name.clone_from(name);
        }
        api.prefix.clone_from(&entry.prefix);
        let operations = entry.operations.iter().map(operation);
        api.operations = operations.collect::<Result<_, _>>()?;
        self.apis.push(api);
        Ok(())
    }
}

/// The texts of all files in a folder and below, by their paths from `root` on.
fn texts(
    root: &Path,
    folder: &Path,
    found: &mut Vec<(String, String)>,
) -> Result<(), SettingsError> {
    let refused =
        |error: &dyn std::fmt::Display| SettingsError(format!("{}: {error}", folder.display()));
    for entry in fs::read_dir(folder).map_err(|error| refused(&error))? {
        let entry = entry.map_err(|error| refused(&error))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|error| refused(&error))?;
        if kind.is_dir() {
            texts(root, &path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "xml") {
            let name = path.strip_prefix(root).unwrap_or(&path);
            found.push((name.to_string_lossy().replace('\\', "/"), text_of(&path)?));
        }
        if found.len() > BUNDLE_FILES_MAX {
            return Err(refused(&"a bundle has too many files"));
        }
    }
    Ok(())
}

/// More files than a bundle has.
const BUNDLE_FILES_MAX: usize = 10_000;

/// A finding in a file of a bundle, which has its place in a folder.
pub(super) fn placed(finding: Finding, folder: &Path) -> Finding {
    let file = finding.file.as_deref().unwrap_or(BUNDLE);
    let file = folder.join(file).display().to_string();
    Finding {
        file: Some(file),
        ..finding
    }
}

/// Refuses an API that would get no request.
fn check_api(entry: &ApiEntry, before: &[ApiEntry]) -> Result<(), SettingsError> {
    let (id, prefix) = (&entry.id, entry.prefix.trim_end_matches('/'));
    let why = if !entry.prefix.is_empty() && !entry.prefix.starts_with('/') {
        format!("its prefix {:?} has to begin with a slash", entry.prefix)
    } else if before.iter().any(|other| other.id == *id) {
        "there are two of this id".to_owned()
    } else if let Some(other) = before
        .iter()
        .find(|other| other.prefix.trim_end_matches('/') == prefix)
    {
        format!(
            "its prefix {:?} is that of {} as well",
            entry.prefix, other.id
        )
    } else {
        return Ok(());
    };
    Err(SettingsError(format!("azure.apis: {id}: {why}")))
}

fn operation(entry: &OperationEntry) -> Result<Operation, SettingsError> {
    let method = Method::from_bytes(entry.method.as_bytes());
    Ok(Operation {
        id: entry.id.clone(),
        name: entry.name.clone().unwrap_or_else(|| entry.id.clone()),
        method: method
            .map_err(|_| SettingsError(format!("operation {}: no such method", entry.id)))?,
        path: entry.path.clone(),
    })
}

/// Longer documents than anybody writes.
const DOCUMENT_BYTES_MAX: u64 = 4 << 20;

fn text_of(path: &Path) -> Result<String, SettingsError> {
    let refused =
        |error: &dyn std::fmt::Display| SettingsError(format!("{}: {error}", path.display()));
    let length = fs::metadata(path).map_err(|error| refused(&error))?.len();
    if length > DOCUMENT_BYTES_MAX {
        return Err(refused(&"the file is too long"));
    }
    fs::read_to_string(path).map_err(|error| refused(&error))
}

/// What a document may refer to.
struct Around<'a> {
    settings: &'a Settings,
    folder: &'a Path,
}

impl Surroundings for Around<'_> {
    fn named_value(&self, name: &str) -> Option<String> {
        self.settings.azure.named_values.get(name).cloned()
    }

    fn file(&self, path: &str) -> Option<String> {
        let folder = match self.folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => self.folder,
        };
        let folder = folder.canonicalize().ok()?;
        let path = folder.join(path).canonicalize().ok()?;
        match path.starts_with(&folder) {
            true => text_of(&path).ok(),
            false => None,
        }
    }
}
