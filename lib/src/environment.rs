//! A function's environment variables and its clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::{Clock, SystemClock};
use crate::error::Error;

/// The environment variables and the clock of one function. On Lambda they are the process's; the local stack
/// passes each function the variables that `template.yaml` sets.
#[derive(Clone)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// The names that were asked for. Clones share them.
    asked: Arc<Mutex<BTreeSet<String>>>,
    clock: Arc<dyn Clock>,
}

impl Environment {
    /// The variables of this process and the machine's clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where the process's variables are read")]
    pub fn of_process() -> Self {
        Self::new(std::env::vars().collect(), Arc::new(SystemClock))
    }

    /// Given variables and a given clock.
    #[must_use]
    pub fn new(variables: BTreeMap<String, String>, clock: Arc<dyn Clock>) -> Self {
        Self { variables, asked: Arc::default(), clock }
    }

    /// The same environment with one variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The value of `name`. `None` if it is absent or empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of `name`, without which the function cannot start.
    ///
    /// # Errors
    /// `Fault` that names the variable, if it is absent or empty.
    pub fn required(&self, name: &'static str) -> Result<&str, Error> {
        self.variable(name).ok_or_else(|| Error::fault("a required variable is not set").about(name))
    }

    /// The value of `name` as a number.
    ///
    /// # Errors
    /// `Fault` that names the variable, if it is absent or not a number.
    pub fn number(&self, name: &'static str) -> Result<u32, Error> {
        let not_one = |error| Error::fault("a variable is not a number").about(name).caused_by(error);
        self.required(name)?.parse().map_err(not_one)
    }

    /// All variables.
    #[must_use]
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// The names that were asked for so far, set or not: those that the template must set.
    #[must_use]
    pub fn asked(&self) -> BTreeSet<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }
}
