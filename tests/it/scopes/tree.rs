//! A small tree of scopes whose names look alike, and views of it.

use larder::{Cache, Key, KeyWriter, OwnedScope};

/// A list of byte strings, as a name or as a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts(pub(super) &'static [&'static [u8]]);

impl Key for Parts {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        for part in self.0 {
            out.bytes(part);
        }
    }
}

/// A scope of the tree.
struct Node {
    above: Option<usize>,
    is_prefix: bool,
    name: Parts,
}

const fn scope(name: &'static [&'static [u8]]) -> Node {
    Node {
        above: None,
        is_prefix: false,
        name: Parts(name),
    }
}

const fn prefix(name: &'static [&'static [u8]]) -> Node {
    Node {
        is_prefix: true,
        ..scope(name)
    }
}

const fn under(above: usize, node: Node) -> Node {
    Node {
        above: Some(above),
        ..node
    }
}

/// What stands above comes first.
const NODES: [Node; 16] = [
    scope(&[b"a"]),
    scope(&[b"a", b"b"]),
    prefix(&[b"a"]),
    under(0, scope(&[b"b"])),
    under(0, prefix(&[b"b"])),
    under(3, scope(&[b"c"])),
    scope(&[b"", b""]),
    scope(&[b"a_", b"b"]),
    scope(&[b"a", b"_b"]),
    prefix(&[b"a__b"]),
    scope(&[b"\0"]),
    under(10, scope(&[b"\0", b"\xFF"])),
    under(6, scope(&[b"p", b"", b"x"])),
    under(6, scope(&[b"p", b"x"])),
    under(12, scope(&[b"_"])),
    scope(&[b"", b"\xFF", b""]),
];

/// Keys that look like the names.
pub(super) const KEYS: [Parts; 6] = [
    Parts(&[b"a"]),
    Parts(&[b"a", b"b"]),
    Parts(&[b"", b""]),
    Parts(&[b"\0"]),
    Parts(&[b"\xFF", b""]),
    Parts(&[b"a__b"]),
];

/// The root, and each scope of the tree.
pub(super) const N_SPACES: usize = NODES.len() + 1;

/// The root's number; a scope's is one more than its place in the table.
pub(super) const ROOT: usize = 0;

/// Whether `space` is `above`, or below it.
pub(super) fn is_within(space: usize, above: usize) -> bool {
    space == above || (space != ROOT && is_within(parent_of(space), above))
}

fn parent_of(space: usize) -> usize {
    NODES[space - 1].above.map_or(ROOT, |at| at + 1)
}

/// A view of the cache or of a scope, with the same operations.
#[derive(Clone)]
pub(super) enum View {
    Root(Cache<[u8]>),
    Scope(OwnedScope<[u8]>),
}

/// Evaluates `$body` for either kind of view.
macro_rules! on {
    ($view:expr, $inner:ident => $body:expr) => {
        match $view {
            View::Root($inner) => $body,
            View::Scope($inner) => $body,
        }
    };
}
pub(super) use on;

/// Asks for a space by its names, from the root down.
pub(super) fn resolve(cache: &Cache<[u8]>, space: usize) -> View {
    if space == ROOT {
        return View::Root(cache.clone());
    }
    let Node {
        is_prefix, name, ..
    } = NODES[space - 1];
    let above = resolve(cache, parent_of(space));
    let scope = on!(&above, above => if is_prefix { above.prefix(name) } else { above.scope(name) }.unwrap().into_owned());
    View::Scope(scope)
}
