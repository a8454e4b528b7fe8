//! Scopes and their views: names, lives and the epoch, without a cache around them.

use crate::lineage::{Generation, Kind, Local, Name, Owner, PlaceWord, Registry};
use crate::sync::Arc;

/// What a faulty one does in another order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The epoch is counted before a life is marked.
    CountFirst,
    /// The epoch is counted when the next life can be had already.
    CountLate,
    /// A closing isn't waited for by those who see it before it is counted.
    NoGate,
    /// A view tells its epoch before its word.
    EpochFirst,
}

/// The scopes of a cache: `a`, and `b` below it, under one tenant.
#[allow(missing_debug_implementations)]
pub struct Family {
    registry: Registry,
    tenant: Arc<Local>,
    owner: Arc<Owner>,
    fault: Fault,
}

/// A view of a scope.
#[derive(Clone)]
#[allow(missing_debug_implementations)]
pub struct View(Arc<Local>);

/// One life of a scope.
#[allow(missing_debug_implementations)]
pub struct Life(Arc<Generation>);

impl Family {
    /// A tenant without scopes.
    pub fn new(fault: Fault) -> Family {
        let registry = Registry::new();
        let owner = Owner::new(1);
        let tenant = registry
            .local_anew(None, name(Kind::Tenant, b"t"), Some(&owner))
            .expect("a model has room");
        Family {
            registry,
            tenant,
            owner,
            fault,
        }
    }

    /// A view of a scope below another, or below the tenant. None if that was closed.
    pub fn view(&self, above: Option<&View>, bytes: &[u8]) -> Option<View> {
        let above = above.map_or(&self.tenant, |view| &view.0);
        let view = self
            .registry
            .local_anew(Some(above), name(Kind::Scope, bytes), None);
        view.ok().map(View)
    }

    /// What a view answers; none if it is nowhere.
    pub fn word(&self, view: &View) -> Option<u64> {
        let word = if self.fault == Fault::EpochFirst {
            view.0.word_with_early_epoch(&self.registry)
        } else {
            view.0.word(&self.registry)
        };
        (word != PlaceWord::NOWHERE).then_some(word.bits())
    }

    /// The present life of a view.
    pub fn life(&self, view: &View) -> Life {
        let life = view.0.generation(&self.registry);
        Life(life.expect("a model asks for what is open"))
    }

    /// Ends a life.
    pub fn invalidate(&self, life: &Life) {
        match self.fault {
            Fault::CountFirst => self.registry.invalidate_after_the_count(&life.0),
            Fault::CountLate => self.registry.invalidate_and_count_unlocked(&life.0),
            _ => drop(self.registry.invalidate(&life.0)),
        }
    }

    /// Closes the tenant.
    pub fn close(&self) {
        if self.fault == Fault::NoGate {
            self.registry.close_without_gate(&self.owner);
        } else {
            self.registry.close(&self.owner);
        }
    }
}

fn name(kind: Kind, bytes: &[u8]) -> Name<'_> {
    Name {
        kind,
        shape: 0,
        bytes,
    }
}
