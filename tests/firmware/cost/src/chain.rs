//! All chains of calls from one function on, and the deepest.

use crate::function::{Call, Callee, Function, follow};
use crate::image::Image;
use crate::rules::Rules;
use std::collections::{BTreeMap, BTreeSet};

/// The functions that may run when one does.
pub(crate) struct Chains<'i> {
    image: &'i Image,
    rules: &'i Rules,
    functions: BTreeMap<u32, Function>,
    /// Functions whose addresses are taken: a call without a name may go to each that the rules allow.
    pub(crate) candidates: BTreeSet<u32>,
    /// Functions that are not followed.
    pub(crate) skipped: BTreeSet<u32>,
}

/// One function of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its address.
    pub(crate) function: u32,
    /// Bytes of stack that it has taken when it calls the next one; the last: at most.
    pub(crate) depth: u32,
    /// Whether its call does not name a function.
    pub(crate) assumed: bool,
}

impl<'i> Chains<'i> {
    /// Follows all functions that can be reached from one.
    ///
    /// # Errors
    /// A function that cannot be followed, or a rule that does not fit the program.
    pub(crate) fn new(image: &'i Image, rules: &'i Rules, root: u32) -> Result<Self, String> {
        let mut chains = Self {
            image,
            rules,
            functions: BTreeMap::new(),
            candidates: BTreeSet::new(),
            skipped: BTreeSet::new(),
        };
        let in_data = image.references().filter(|(place, _)| !image.is_literal(*place));
        let in_data: BTreeSet<u32> = in_data.map(|(_, function)| function).collect();
        let mut waiting = BTreeSet::from([root]);
        while let Some(function) = waiting.pop_first() {
            if rules.skips(&image.name(function)) {
                chains.skipped.insert(function);
                continue;
            }
            let followed =
                follow(image, function).map_err(|error| format!("{}: {error}", image.name(function)))?;
            for call in &followed.calls {
                match call.callee {
                    Callee::Known(function) => drop(waiting.insert(function)),
                    Callee::Slot(_) | Callee::Any => chains.candidates.extend(&in_data),
                }
            }
            chains.candidates.extend(&followed.taken);
            chains.functions.insert(function, followed);
            waiting.extend(&chains.candidates);
            waiting.retain(|next| !chains.functions.contains_key(next) && !chains.skipped.contains(next));
        }
        chains.check_rules()?;
        Ok(chains)
    }

    /// A function whose address is taken has a caller, even if the rules allow none.
    fn check_rules(&self) -> Result<(), String> {
        let callees: BTreeSet<u32> =
            self.assumed().flat_map(|(caller, call)| self.callees(caller, &call)).collect();
        match self.candidates.iter().find(|candidate| !callees.contains(candidate)) {
            Some(missed) if self.assumed().next().is_some() => {
                Err(format!("the rules let no function of the program call {}", self.image.name(*missed)))
            }
            _ => Ok(()),
        }
    }

    /// The deepest chain from a function on.
    ///
    /// # Errors
    /// A chain in which a function calls itself.
    pub(crate) fn deepest(&self, root: u32) -> Result<Vec<Link>, String> {
        let mut search = Search { chains: self, done: BTreeMap::new(), open: Vec::new() };
        search.depth(root)?;
        let mut chain = Vec::new();
        let mut next = Some(root);
        while let Some(function) = next {
            let call = search.done.get(&function).and_then(|deepest| deepest.call);
            let own = self.functions.get(&function).map_or(0, |function| function.depth);
            chain.push(Link {
                function,
                depth: call.map_or(own, |(call, _)| call.depth),
                assumed: call.is_some_and(|(call, _)| call.callee.is_assumed()),
            });
            next = call.map(|(_, callee)| callee);
        }
        Ok(chain)
    }

    /// Calls that do not name a function, each with its caller.
    pub(crate) fn assumed(&self) -> impl Iterator<Item = (u32, Call)> {
        let of = |(caller, function): (&u32, &'_ Function)| {
            let caller = *caller;
            function.calls.iter().map(move |call| (caller, *call)).collect::<Vec<_>>()
        };
        self.functions.iter().flat_map(of).filter(|(_, call)| call.callee.is_assumed())
    }

    /// The functions that a call may go to.
    pub(crate) fn callees(&self, caller: u32, call: &Call) -> Vec<u32> {
        let Callee::Known(function) = call.callee else {
            let caller = self.image.name(caller);
            let allows = |callee: &&u32| self.rules.allow(&caller, &self.image.name(**callee));
            return self.candidates.iter().filter(allows).copied().collect();
        };
        vec![function]
    }
}

#[derive(Clone, Copy)]
struct Deepest {
    depth: u32,
    /// The call that makes it so deep, and the called function.
    call: Option<(Call, u32)>,
}

struct Search<'c, 'i> {
    chains: &'c Chains<'i>,
    /// How deep each function is with all that it calls.
    done: BTreeMap<u32, Deepest>,
    /// The functions that are being looked at, each called by the one before.
    open: Vec<u32>,
}

impl Search<'_, '_> {
    fn depth(&mut self, function: u32) -> Result<u32, String> {
        if let Some(known) = self.done.get(&function) {
            return Ok(known.depth);
        }
        if let Some(first) = self.open.iter().position(|open| *open == function) {
            let cycle = self.open[first..].iter().chain([&function]);
            let names: Vec<_> = cycle.map(|function| self.chains.image.name(*function)).collect();
            return Err(format!("a function calls itself: {}", names.join(" -> ")));
        }
        // What is not followed takes nothing.
        let Some(followed) = self.chains.functions.get(&function) else { return Ok(0) };
        self.open.push(function);
        let mut deepest = Deepest { depth: followed.depth, call: None };
        for call in &followed.calls {
            for callee in self.chains.callees(function, call) {
                let depth = call.depth + self.depth(callee)?;
                if depth > deepest.depth {
                    deepest = Deepest { depth, call: Some((*call, callee)) };
                }
            }
        }
        self.open.pop();
        self.done.insert(function, deepest);
        Ok(deepest.depth)
    }
}
