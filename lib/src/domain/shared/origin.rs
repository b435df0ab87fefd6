//! Where a request came from.

/// Where a request came from, as API Gateway saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The caller's IP address.
    pub ip: Option<String>,
    /// The host name that was called.
    pub domain: Option<String>,
    /// API Gateway's id of the API, which is also the first label of the host name that API Gateway assigns.
    pub api_id: Option<String>,
}
