//! What the pool must hold: every state that was acknowledged, and the one in flight.

use crate::model::Model;
use std::sync::Arc;

/// The truth.
#[derive(Clone, Debug)]
pub(super) struct Oracle {
    /// Every acknowledged state, oldest first.
    history: Vec<Arc<Model>>,
    /// What a commit that was not acknowledged would have made.
    in_flight: Option<Arc<Model>>,
    /// What the last mount found, if the next one may find the other.
    unsettled: Option<Found>,
}

/// What a mount found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The last acknowledged state, and nothing was in flight.
    Acknowledged,
    /// The last acknowledged state; the commit in flight did not happen.
    Backward,
    /// The commit in flight happened.
    Forward,
}

impl Oracle {
    pub(super) fn new() -> Self {
        Self { history: vec![Arc::new(Model::default())], in_flight: None, unsettled: None }
    }

    /// The last acknowledged state.
    pub(super) fn current(&self) -> &Arc<Model> {
        self.history.last().expect("a pool begins with a state")
    }

    /// The number of the last acknowledged state.
    pub(super) const fn newest(&self) -> usize {
        self.history.len() - 1
    }

    pub(super) fn state(&self, number: usize) -> &Arc<Model> {
        &self.history[number.min(self.newest())]
    }

    /// A mount ended: nothing is held any more.
    pub(super) fn let_go(&mut self) {
        for state in self.history.last_mut().into_iter().chain(&mut self.in_flight) {
            if !state.pins.is_empty() {
                Arc::make_mut(state).let_go();
            }
        }
    }

    /// A transaction that came to this was dropped.
    pub(super) fn keep_pins(&mut self, dropped: &Model) {
        if let Some(state) = self.history.last_mut().filter(|state| state.pins != dropped.pins) {
            Arc::make_mut(state).keep_pins(dropped);
        }
    }

    /// A commit begins whose outcome may stay unknown.
    pub(super) fn send(&mut self, model: Arc<Model>) {
        self.in_flight = Some(model);
    }

    /// Whether there is a commit with an outcome that is not known yet.
    pub(super) const fn is_sending(&self) -> bool {
        self.in_flight.is_some()
    }

    /// It was acknowledged.
    pub(super) fn acknowledge(&mut self) {
        self.history.extend(self.in_flight.take());
    }

    /// It was undone.
    pub(super) fn undone(&mut self) {
        self.in_flight = None;
    }

    /// A mount that found what the next one may not find began a transaction: that made it durable.
    pub(super) fn settle(&mut self) {
        match self.unsettled.take() {
            Some(Found::Forward) => self.acknowledge(),
            Some(_) => self.undone(),
            None => {}
        }
    }

    /// Compares what a mount found with what it may find; an error says where it differs. When it is `settled`, the
    /// pool will never answer otherwise.
    pub(super) fn judge(&mut self, found: &Model, settled: bool) -> Result<Found, String> {
        self.unsettled = None;
        if *found == **self.current() {
            let was = if self.in_flight.is_some() { Found::Backward } else { Found::Acknowledged };
            match settled {
                true => self.in_flight = None,
                false => self.unsettled = Some(was),
            }
            return Ok(was);
        }
        let old = self.current().difference(found).unwrap_or_default();
        match &self.in_flight {
            None => match self.history.iter().rposition(|state| **state == *found) {
                Some(number) => Err(format!("state {number} of {} came back: {old}", self.newest())),
                None => Err(old),
            },
            Some(next) if **next == *found => {
                match settled {
                    true => self.acknowledge(),
                    false => self.unsettled = Some(Found::Forward),
                }
                Ok(Found::Forward)
            }
            Some(next) => {
                let new = next.difference(found).unwrap_or_default();
                Err(format!("neither the acknowledged state ({old}) nor the one in flight ({new})"))
            }
        }
    }

    /// An override went back to this state: a new history begins there.
    pub(super) fn go_back(&mut self, state: Arc<Model>) {
        // What was never acknowledged may still come back, where anything may.
        self.history.extend(self.in_flight.take());
        // What it held, an earlier mount held; this one holds what it held until now.
        let held = self.current().clone();
        self.history.push(state);
        self.keep_pins(&held);
    }

    /// All states that a damaged pool may show parts of, the newest first.
    pub(super) fn candidates(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.in_flight.iter().chain(self.history.iter().rev())
    }
}
