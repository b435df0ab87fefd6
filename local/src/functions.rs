//! Which code stands behind each function of the template.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use stella::environment::Environment;
use stella::error::Error;
use stella::function::Function;

type Starting = Pin<Box<dyn Future<Output = Result<Arc<dyn Function>, Error>> + Send>>;
type Start = Arc<dyn Fn(Environment) -> Starting + Send + Sync>;

/// How each function is started, by the folder of its code.
#[derive(Clone, Default)]
pub struct Functions(BTreeMap<String, Start>);

impl Functions {
    /// Our own.
    #[must_use]
    pub fn ours() -> Self {
        Self::default()
            .with("inbound", stella_inbound::start)
            .with("api", stella_api::start)
            .with("fanout", stella_fanout::start)
            .with("deliver", stella_deliver::start)
            .with("sweep", stella_sweep::start)
            .with("portal", stella_portal::start)
    }

    /// These, with the code of one folder set.
    #[must_use]
    pub fn with<S, A, F>(mut self, code: &str, start: S) -> Self
    where
        S: Fn(Environment) -> A + Send + Sync + 'static,
        A: Future<Output = Result<F, Error>> + Send + 'static,
        F: Function,
    {
        let start = move |environment| -> Starting {
            let starting = start(environment);
            Box::pin(async move { Ok(Arc::new(starting.await?) as Arc<dyn Function>) })
        };
        self.0.insert(code.to_owned(), Arc::new(start));
        self
    }

    /// Starts the code of a folder.
    pub(crate) async fn start(
        &self,
        code: &str,
        environment: Environment,
    ) -> Result<Arc<dyn Function>, Error> {
        let start = self.0.get(code).ok_or_else(|| Error::fault("No function has this code").about(code))?;
        start(environment).await.map_err(|error| {
            // The subject says which function it is; what it was about goes with the cause.
            Error::fault("A function cannot start").about(code).caused_by(error)
        })
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
