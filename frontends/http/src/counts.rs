//! By which operations requests are counted.

/// The operations that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Operation {
    /// GET and HEAD of an item.
    Get,
    /// PUT of an item.
    Put,
    /// DELETE of an item.
    Delete,
    /// The operations on items by POST.
    Items,
    /// Caches and tokens.
    Control,
    /// All else.
    Other,
}

/// Their names, in this order.
pub(crate) const OPERATIONS: [&str; 6] = ["get", "put", "delete", "items", "control", "other"];
