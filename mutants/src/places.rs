//! Where in a file a mutant belongs.

use std::collections::HashMap;
use std::ops::Range;

use proc_macro2::{LineColumn, Span};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// What a mutant changes, as ranges of bytes of the file.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// An operation: all of it, its left side and its right side.
    Binary(Range<usize>, Range<usize>, Range<usize>),
    /// All of it, and what the operator stands before.
    Unary(Range<usize>, Range<usize>),
    /// The first statement of a function.
    Body(usize),
    Guard(Range<usize>),
    /// The end of an arm's pattern, and its guard.
    Arm(usize, Option<Range<usize>>),
}

/// The places of a file, by the line and column from one at which cargo-mutants says that they begin.
pub(crate) fn places(text: &str) -> Result<HashMap<(usize, usize), Place>, String> {
    let file = syn::parse_file(text).map_err(|error| error.to_string())?;
    let mut finder = Finder {
        places: HashMap::new(),
        in_const: 0,
    };
    finder.visit_file(&file);
    Ok(finder.places)
}

/// Whether what has this attribute is none of the engine as its tests are built: it is the models', or the fuzzer's.
fn is_elsewhere(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else {
        return false;
    };
    let text = list.tokens.to_string();
    list.path.is_ident("cfg")
        && !text.starts_with("not")
        && ["engine_loom", "fuzzing", "test"]
            .iter()
            .any(|word| text.contains(word))
}

struct Finder {
    places: HashMap<(usize, usize), Place>,
    in_const: usize,
}

fn bytes(node: &impl Spanned) -> Range<usize> {
    node.span().byte_range()
}

impl Finder {
    fn add(&mut self, at: Span, place: Place) {
        let LineColumn { line, column } = at.start();
        if self.in_const == 0 {
            self.places.insert((line, column + 1), place);
        }
    }

    fn constant(&mut self, visit: impl FnOnce(&mut Self)) {
        self.in_const += 1;
        visit(self);
        self.in_const -= 1;
    }

    fn body(
        &mut self,
        attributes: &[syn::Attribute],
        signature: &syn::Signature,
        block: &syn::Block,
        visit: impl FnOnce(&mut Self),
    ) {
        if signature.constness.is_some() || attributes.iter().any(is_elsewhere) {
            return self.constant(visit);
        }
        // Two branches can't be of one type that has no name.
        let is_unnamed = matches!(&signature.output, syn::ReturnType::Type(_, of) if matches!(**of, syn::Type::ImplTrait(_)));
        if let Some(first) = block.stmts.first().filter(|_| !is_unnamed) {
            self.add(first.span(), Place::Body(bytes(first).start));
        }
        visit(self);
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_const(&mut self, node: &'ast syn::ItemConst) {
        self.constant(|finder| visit::visit_item_const(finder, node));
    }

    fn visit_impl_item_const(&mut self, node: &'ast syn::ImplItemConst) {
        self.constant(|finder| visit::visit_impl_item_const(finder, node));
    }

    fn visit_item_static(&mut self, node: &'ast syn::ItemStatic) {
        self.constant(|finder| visit::visit_item_static(finder, node));
    }

    fn visit_type(&mut self, node: &'ast syn::Type) {
        self.constant(|finder| visit::visit_type(finder, node));
    }

    fn visit_expr_repeat(&mut self, node: &'ast syn::ExprRepeat) {
        self.visit_expr(&node.expr);
        self.constant(|finder| finder.visit_expr(&node.len));
    }

    fn visit_expr_const(&mut self, node: &'ast syn::ExprConst) {
        self.constant(|finder| visit::visit_expr_const(finder, node));
    }

    fn visit_item_impl(&mut self, node: &'ast syn::ItemImpl) {
        if node.attrs.iter().any(is_elsewhere) {
            self.constant(|finder| visit::visit_item_impl(finder, node));
        } else {
            visit::visit_item_impl(self, node);
        }
    }

    fn visit_item_fn(&mut self, node: &'ast syn::ItemFn) {
        self.body(&node.attrs, &node.sig, &node.block, |finder| {
            visit::visit_item_fn(finder, node);
        });
    }

    fn visit_impl_item_fn(&mut self, node: &'ast syn::ImplItemFn) {
        self.body(&node.attrs, &node.sig, &node.block, |finder| {
            visit::visit_impl_item_fn(finder, node);
        });
    }

    fn visit_expr_binary(&mut self, node: &'ast syn::ExprBinary) {
        let (left, right) = (bytes(&*node.left), bytes(&*node.right));
        self.add(node.op.span(), Place::Binary(bytes(node), left, right));
        visit::visit_expr_binary(self, node);
    }

    fn visit_expr_unary(&mut self, node: &'ast syn::ExprUnary) {
        self.add(node.span(), Place::Unary(bytes(node), bytes(&*node.expr)));
        visit::visit_expr_unary(self, node);
    }

    fn visit_arm(&mut self, node: &'ast syn::Arm) {
        let guard = node.guard.as_ref().map(|(_, guard)| guard);
        let place = Place::Arm(bytes(&node.pat).end, guard.map(|guard| bytes(&**guard)));
        self.add(node.span(), place);
        if let Some(guard) = guard {
            self.add(guard.span(), Place::Guard(bytes(&**guard)));
        }
        // Patterns are constants.
        self.constant(|finder| finder.visit_pat(&node.pat));
        if let Some(guard) = guard {
            self.visit_expr(guard);
        }
        self.visit_expr(&node.body);
    }
}
