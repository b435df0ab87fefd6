//! Runs the functions on threads of their own, so that their processor time is separate from that of the
//! emulated AWS.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use stella::environment::Environment;
use stella::error::Error;
use stella::function::{Answer, Function};
use stella_local::Functions;
use tokio::runtime::{Builder, Handle};

/// The name of the threads.
pub const NAME: &str = "handlers";

struct OnThreads {
    inner: Arc<dyn Function>,
    handle: Handle,
}

impl Function for OnThreads {
    fn handle<'a>(&'a self, event: &'a str, deadline: DateTime<Utc>) -> Answer<'a> {
        let (inner, event) = (Arc::clone(&self.inner), event.to_owned());
        let running = self.handle.spawn(async move { inner.handle(&event, deadline).await });
        Box::pin(async move { running.await.map_err(|_| Error::fault("a function panicked"))? })
    }
}

/// Our functions, on two threads of their own.
pub fn functions() -> Functions {
    let runtime =
        Builder::new_multi_thread().worker_threads(2).thread_name(NAME).enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    // The runtime lives as long as the process.
    std::mem::forget(runtime);
    let functions = Functions::ours();
    let functions = on_threads(functions, &handle, "inbound", stella_inbound::start);
    let functions = on_threads(functions, &handle, "api", stella_api::start);
    let functions = on_threads(functions, &handle, "fanout", stella_fanout::start);
    let functions = on_threads(functions, &handle, "deliver", stella_deliver::start);
    on_threads(functions, &handle, "sweep", stella_sweep::start)
}

fn on_threads<S, A, F>(functions: Functions, handle: &Handle, code: &str, start: S) -> Functions
where
    S: Fn(Environment) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<F, Error>> + Send + 'static,
    F: Function,
{
    let handle = handle.clone();
    functions.with(code, move |environment| {
        let (handle, started) = (handle.clone(), start(environment));
        async move {
            let inner = handle.spawn(started).await.map_err(|_| Error::fault("a function panicked"))??;
            Ok(OnThreads { inner: Arc::new(inner), handle })
        }
    })
}
