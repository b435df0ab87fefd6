//! Where a request came from.

/// Where a request came from, as API Gateway saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The caller's address.
    pub ip: Option<String>,
    /// The host name that was called.
    pub domain: Option<String>,
    /// What API Gateway calls the API, in the name that it gives it too.
    pub api_id: Option<String>,
}
