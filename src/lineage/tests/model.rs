//! Random lives of a small tree of names, against a model:
//! - a path has one word while nothing on it ends, whichever view is asked, and another after an ending (L2, L4);
//! - no two lives have the same id, and none comes back (L1);
//! - a name is kept exactly while a view stands at it or below it (L5).
//!
//! In the model a life is its path, the owner at its top, and how often each step of the path was ended.

use std::collections::{HashMap, HashSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Steps of a path; the first is a tenant's name.
type Path = Vec<u8>;

/// A path, its tenant's number, and the endings of each step.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Life(Path, usize, Vec<u32>);

#[derive(Clone, Debug)]
enum Op {
    /// A view of a tenant, from the tree's root.
    Open(u8),
    /// A view below one of the views.
    Nest(usize, u8),
    Forget(usize),
    /// Ends the scope of a view.
    Invalidate(usize),
    /// Closes a tenant, and opens another of the name.
    Replace(u8),
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (0_u8..2).prop_map(Op::Open),
        6 => (any::<usize>(), 0_u8..3).prop_map(|(at, name)| Op::Nest(at, name)),
        4 => any::<usize>().prop_map(Op::Forget),
        3 => any::<usize>().prop_map(Op::Invalidate),
        1 => (0_u8..2).prop_map(Op::Replace),
    ]
}

struct View {
    local: Arc<Local>,
    path: Path,
    tenant: usize,
}

/// The registry and the model, side by side.
struct Pair {
    registry: Registry,
    /// Every owner that there was; the last of each name is open.
    owners: Vec<Arc<Owner>>,
    open: [usize; 2],
    views: Vec<View>,
    endings: HashMap<(Path, usize), u32>,
    /// Words of lives that are named, and all words that there were.
    living: HashMap<Life, PlaceWord>,
    used: HashSet<u64>,
    last: HashMap<(Path, usize), Vec<PlaceWord>>,
    with_table: bool,
}

impl Pair {
    fn new(with_table: bool) -> Self {
        Self {
            registry: Registry::new(),
            owners: vec![Owner::new(1), Owner::new(2)],
            open: [0, 1],
            views: Vec::new(),
            endings: HashMap::new(),
            living: HashMap::new(),
            used: HashSet::new(),
            last: HashMap::new(),
            with_table,
        }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Open(name) => self.open(name),
            Op::Nest(at, name) if !self.views.is_empty() => self.nest(at % self.views.len(), name),
            Op::Forget(at) if !self.views.is_empty() => {
                self.views.swap_remove(at % self.views.len());
            }
            Op::Invalidate(at) if !self.views.is_empty() => self.end(at % self.views.len()),
            Op::Replace(name) => self.replace(name),
            _ => {}
        }
    }

    fn local(
        &self,
        parent: Option<&Local>,
        name: Name<'_>,
        owner: Option<&Arc<Owner>>,
    ) -> Result<Arc<Local>, ScopeError> {
        if self.with_table {
            self.registry.local(parent, name, owner)
        } else {
            self.registry.local_anew(parent, name, owner)
        }
    }

    fn open(&mut self, name: u8) {
        let number = self.open[usize::from(name)];
        let local = self.local(None, tenant(&[name]), Some(&self.owners[number]));
        self.views.push(View {
            local: local.unwrap(),
            path: vec![name],
            tenant: number,
        });
    }

    fn nest(&mut self, at: usize, name: u8) {
        let above = &self.views[at];
        let local = self.local(Some(&above.local), scope(&[name]), None);
        let path = [&above.path[..], &[name]].concat();
        let refusal = if !self.is_open(above.tenant) {
            Some(ScopeError::Closed)
        } else if path.len() > usize::from(DEPTH_MAX) {
            Some(ScopeError::too_deep())
        } else {
            None
        };
        let tenant = above.tenant;
        match local {
            // What the table still has is nowhere, which its word says.
            Ok(_) if self.with_table && refusal == Some(ScopeError::Closed) => {}
            Ok(local) => {
                assert_eq!(refusal, None);
                self.views.push(View {
                    local,
                    path,
                    tenant,
                });
            }
            Err(error) => assert_eq!(Some(error), refusal),
        }
    }

    fn end(&mut self, at: usize) {
        let view = &self.views[at];
        match view.local.generation(&self.registry) {
            Ok(life) => {
                assert!(self.registry.invalidate(&life));
                assert!(!self.registry.invalidate(&life));
                *self
                    .endings
                    .entry((view.path.clone(), view.tenant))
                    .or_default() += 1;
            }
            Err(error) => {
                assert_eq!(error, ScopeError::Closed);
                assert!(!self.is_open(view.tenant));
            }
        }
    }

    fn replace(&mut self, name: u8) {
        let number = &mut self.open[usize::from(name)];
        assert!(self.registry.close(&self.owners[*number]));
        *number = self.owners.len();
        self.owners.push(Owner::new(self.owners.len() as u32 + 1));
    }

    fn is_open(&self, tenant: usize) -> bool {
        self.open.contains(&tenant)
    }

    fn life(&self, path: &[u8], tenant: usize) -> Life {
        let endings = (1..=path.len()).map(|len| {
            let step = (path[..len].to_vec(), tenant);
            self.endings.get(&step).copied().unwrap_or(0)
        });
        Life(path.to_vec(), tenant, endings.collect())
    }

    /// Asks every view, and compares with what the model knows.
    fn check(&mut self) {
        let mut named = HashMap::new();
        for view in &self.views {
            let word = view.local.word(&self.registry);
            if !self.is_open(view.tenant) {
                assert_eq!(word, PlaceWord::NOWHERE);
                continue;
            }
            assert_eq!(word.pool(), self.owners[view.tenant].pool());
            assert!(view.local.holds(word));
            let generation = view.local.generation(&self.registry).unwrap();
            let mut at = Some(&generation);
            for len in (1..=view.path.len()).rev() {
                let life = at.expect("a step for each name");
                named.insert(self.life(&view.path[..len], view.tenant), life.word());
                at = life.parent();
            }
            assert!(at.is_none());
            assert_eq!(named[&self.life(&view.path, view.tenant)], word);
        }
        for (life, word) in &named {
            match self.living.get(life) {
                Some(known) => assert_eq!(known, word, "L2"),
                None if self.with_table && self.used.contains(&word.id()) => {}
                None => assert!(self.used.insert(word.id()), "L1: {life:?}"),
            }
            let last = self.last.entry((life.0.clone(), life.1)).or_default();
            if last.last() != Some(word) {
                assert!(!last.contains(word), "L4: a life that was left came back");
                last.push(*word);
            }
        }
        if !self.with_table {
            // A closed view keeps the names that it last stood for.
            let closed = self.views.iter().filter(|view| !self.is_open(view.tenant));
            let n_closed_max: usize = closed.map(|view| view.path.len()).sum();
            let n_names = self.registry.n_names();
            assert!(
                (named.len()..=named.len() + n_closed_max).contains(&n_names),
                "L5"
            );
        }
        self.living = named;
    }
}

fn run(ops: &[Op], with_table: bool) {
    let mut pair = Pair::new(with_table);
    for op in ops {
        pair.apply(op);
        pair.check();
    }
    pair.views.clear();
    if !with_table {
        assert_eq!(
            (pair.registry.n_names(), pair.registry.memory_bytes()),
            (0, 0),
            "L5"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn l1_l2_l4_l5_views_follow_the_model(ops in vec(any_op(), 1..120)) {
        run(&ops, false);
    }

    #[test]
    fn l1_l2_l4_the_threads_table_changes_no_answer(ops in vec(any_op(), 1..120)) {
        run(&ops, true);
    }
}
