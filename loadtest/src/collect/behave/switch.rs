//! The behaviour in force: follows its script, counts what was done.

use std::{cell::Cell, cell::RefCell, collections::BTreeMap, rc::Rc};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{Act, Phase, Script, Size};

/// The behaviour in force, shared by all connections of a collector.
#[derive(Debug)]
pub struct Switch {
    script: RefCell<(Script, Instant)>,
    current: watch::Sender<Rc<Struck>>,
    /// Another script was set.
    set: Notify,
    misbehaved: RefCell<BTreeMap<String, u64>>,
}

/// A phase in force: what a request that it takes is to suffer.
#[derive(Debug)]
pub struct Struck {
    /// The phase.
    pub phase: Phase,
    label: String,
    ends: Option<Instant>,
    asked: Cell<u64>,
    count: Cell<u64>,
}

impl Struck {
    /// The phase of now in a script that began then.
    fn now(script: &Script, began: Instant) -> Rc<Self> {
        let moment = script.at(began.elapsed());
        Rc::new(Self {
            phase: moment.phase.clone(),
            label: moment.phase.label(),
            ends: moment.until.map(|it| began + it),
            asked: Cell::new(0),
            count: Cell::new(0),
        })
    }

    /// Counts what was done once.
    pub fn count(&self) {
        self.count.set(self.count.get() + 1);
    }
}

impl Switch {
    /// Begins `script` now.
    #[must_use]
    pub fn new(script: Script) -> Self {
        let began = Instant::now();
        Self {
            current: watch::Sender::new(Struck::now(&script, began)),
            script: RefCell::new((script, began)),
            set: Notify::new(),
            misbehaved: RefCell::default(),
        }
    }

    /// Begins another script at once: the next request finds it in force.
    pub fn set(&self, script: Script) {
        *self.script.borrow_mut() = (script, Instant::now());
        self.follow();
        self.set.notify_one();
    }

    /// The script in force, as text.
    #[must_use]
    pub fn script(&self) -> String {
        self.script.borrow().0.to_string()
    }

    /// Changes from phase to phase when it is time; never ends.
    pub async fn run(&self) {
        loop {
            let ends = self.current.borrow().ends;
            match ends {
                Some(ends) => tokio::select! {
                    () = tokio::time::sleep_until(ends) => self.follow(),
                    () = self.set.notified() => {}
                },
                None => self.set.notified().await,
            }
        }
    }

    /// Puts the phase of now in force.
    fn follow(&self) {
        let (script, began) = &*self.script.borrow();
        let left = self.current.send_replace(Struck::now(script, *began));
        // Requests that it has taken may still be under way, but each was counted when it was taken.
        add(&mut self.misbehaved.borrow_mut(), &left);
    }

    /// What the next request is to suffer; `None`: it is accepted.
    pub fn strike(&self) -> Option<Rc<Struck>> {
        let current = self.current.borrow();
        let phase = &current.phase;
        if phase.act == Act::Ok && phase.slow.is_none() && phase.read.is_none() {
            return None;
        }
        let number = current.asked.replace(current.asked.get() + 1);
        if !phase.share.takes(number) {
            return None;
        }
        // A request is accepted on the way to the end of its connection: only that end counts.
        if !matches!(phase.act, Act::GoAway { .. }) {
            current.count();
        }
        Some(Rc::clone(&current))
    }

    /// How many bytes a second may be read of each connection.
    #[must_use]
    pub fn read_rate(&self) -> Option<Size> {
        self.current.borrow().phase.read
    }

    /// Sees each phase that comes into force, the one of now first.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Rc<Struck>> {
        let mut watch = self.current.subscribe();
        watch.mark_changed();
        watch
    }

    /// How many requests were misbehaved at, by what was done.
    #[must_use]
    pub fn misbehaved(&self) -> BTreeMap<String, u64> {
        let mut counts = self.misbehaved.borrow().clone();
        add(&mut counts, &self.current.borrow());
        counts
    }
}

fn add(counts: &mut BTreeMap<String, u64>, of: &Struck) {
    if of.count.get() > 0 {
        *counts.entry(of.label.clone()).or_default() += of.count.get();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switch(text: &str) -> Switch {
        Switch::new(text.parse().unwrap())
    }

    #[test]
    fn the_share_is_struck_and_counted() {
        let switch = switch("hang share=0.25");
        let struck: Vec<bool> = (0..8).map(|_| switch.strike().is_some()).collect();
        let t = true;
        let f = false;
        assert_eq!(struck, [f, f, f, t, f, f, f, t]);
        assert_eq!(
            switch.misbehaved(),
            BTreeMap::from([("hang".to_owned(), 2)])
        );
    }

    #[test]
    fn another_script_is_in_force_at_once_and_the_counts_stay() {
        let switch = switch("status=UNAVAILABLE retry-info=1s");
        assert!(switch.strike().is_some());
        switch.set("slow=1ms".parse().unwrap());
        assert!(switch.strike().is_some());
        switch.set(Script::ok());
        assert!(switch.strike().is_none());
        let counts = [("slow".to_owned(), 1), ("status=UNAVAILABLE".to_owned(), 1)];
        assert_eq!(switch.misbehaved(), BTreeMap::from(counts));
    }

    #[test]
    fn good_behaviour_strikes_nobody() {
        assert!(switch("ok").strike().is_none());
        assert_eq!(switch("ok").misbehaved(), BTreeMap::new());
    }
}
