//! What a token allows.

use serde::{Deserialize, Deserializer, Serialize};

use crate::words::word;
use crate::{from_base64, to_base64};

/// What is done to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It is looked at.
    Read,
    /// It is replaced or removed, and nothing of it is told.
    Write,
    /// What is done depends on what is there, or tells it.
    ReadWrite,
}

/// All that a token allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Everything in its account, caches included.
    SuperUser,
    /// What any one of these allows.
    Permissions(Vec<Permission>),
}

impl Grant {
    /// Whether it allows this.
    pub fn allows(&self, access: Access, cache: &str, key: &[u8]) -> bool {
        match self {
            Self::SuperUser => true,
            Self::Permissions(all) => all.iter().any(|one| one.allows(access, cache, key)),
        }
    }

    /// As it is written: whether it is a super user's, and what it allows otherwise.
    pub(super) fn parts(self) -> (bool, Vec<Permission>) {
        match self {
            Self::SuperUser => (true, Vec::new()),
            Self::Permissions(permissions) => (false, permissions),
        }
    }
}

/// What may be done to which items of which caches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Permission {
    /// What.
    pub role: Role,
    /// Of which cache; `None`: of all.
    pub cache: Option<String>,
    /// To which items.
    pub items: Items,
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Both.
    ReadWrite,
    /// Looking.
    ReadOnly,
    /// Replacing and removing.
    WriteOnly,
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let roles = [
            ("readwrite", Self::ReadWrite),
            ("readonly", Self::ReadOnly),
            ("writeonly", Self::WriteOnly),
        ];
        word(from, &roles)
    }
}

/// Items by their keys, byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Items {
    /// All.
    All,
    /// That of one key.
    Key(Vec<u8>),
    /// Those whose keys begin so.
    Prefix(Vec<u8>),
}

impl Permission {
    fn allows(&self, access: Access, cache: &str, key: &[u8]) -> bool {
        let role = match access {
            Access::Read => self.role != Role::WriteOnly,
            Access::Write => self.role != Role::ReadOnly,
            Access::ReadWrite => self.role == Role::ReadWrite,
        };
        let item = match &self.items {
            Items::All => true,
            Items::Key(only) => only == key,
            Items::Prefix(prefix) => key.starts_with(prefix),
        };
        role && item && self.cache.as_deref().is_none_or(|only| only == cache)
    }
}

/// How a permission is written, in tokens and in settings.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_prefix_base64: Option<String>,
}

impl TryFrom<Written> for Permission {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let bytes = |text: &Option<String>, base64: &Option<String>| match (text, base64) {
            (None, None) => Ok(None),
            (Some(text), None) => Ok(Some(text.clone().into_bytes())),
            (None, Some(base64)) => from_base64(base64.as_bytes())
                .map(Some)
                .ok_or("a key of a permission is not base64"),
            _ => Err("a key of a permission is given twice"),
        };
        let key = bytes(&written.key, &written.key_base64)?;
        let prefix = bytes(&written.key_prefix, &written.key_prefix_base64)?;
        let items = match (key, prefix) {
            (None, None) => Items::All,
            (Some(key), None) => Items::Key(key),
            (None, Some(prefix)) => Items::Prefix(prefix),
            _ => return Err("a permission has a key and a prefix"),
        };
        Ok(Self {
            role: written.role,
            cache: written.cache,
            items,
        })
    }
}

impl From<Permission> for Written {
    fn from(permission: Permission) -> Self {
        let (key_base64, key_prefix_base64) = match &permission.items {
            Items::All => (None, None),
            Items::Key(key) => (Some(to_base64(key)), None),
            Items::Prefix(prefix) => (None, Some(to_base64(prefix))),
        };
        Self {
            role: permission.role,
            cache: permission.cache,
            key: None,
            key_base64,
            key_prefix: None,
            key_prefix_base64,
        }
    }
}
