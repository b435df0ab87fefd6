//! Signs a request as a sender would, by the authentication scheme of its config.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stella::clock::{Clock as _, SystemClock};
use stella::domain::inbound::authentication::Encoding;
use stella::domain::inbound::scheme::{Covers, Prefix, Scheme};
use stella::domain::shared::signature::SigningSecret;

use crate::failure::Failure;

/// The headers that authenticate a request.
pub(crate) fn headers(
    scheme: &Scheme,
    secret: Option<&str>,
    body: &str,
) -> Result<Vec<(String, String)>, Failure> {
    let secret = || {
        secret.ok_or_else(|| {
            Failure::Usage("--secret is required: the config authenticates its sender by a secret".to_owned())
        })
    };
    match scheme {
        Scheme::UrlToken => Ok(Vec::new()),
        Scheme::Token { header, prefix } => {
            Ok(vec![(header.clone(), format!("{}{}", prefix.as_deref().unwrap_or_default(), secret()?))])
        }
        Scheme::Basic => {
            Ok(vec![("Authorization".to_owned(), format!("Basic {}", STANDARD.encode(secret()?)))])
        }
        Scheme::Hmac { header, algorithm, prefix, encoding, covers } => {
            let prefix = match prefix {
                Prefix::Absent => "",
                Prefix::Required(prefix) => prefix.as_str(),
                Prefix::Optional(prefix) => prefix,
            };
            let seconds = SystemClock.now().timestamp();
            let (signed, before) = match covers {
                Covers::Body | Covers::JsonText => (body.to_owned(), String::new()),
                Covers::TimeAndBody { .. } => (format!("{seconds}.{body}"), format!("timestamp={seconds},")),
            };
            let mac = algorithm.mac(secret()?.as_bytes(), &[signed.as_bytes()]);
            let signature = match encoding {
                Encoding::Hex => hex::encode(mac),
                Encoding::Base64 => STANDARD.encode(mac),
            };
            Ok(vec![(header.clone(), format!("{before}{prefix}{signature}"))])
        }
        Scheme::StandardWebhooks => {
            let key = SigningSecret::parse(secret()?)
                .map_err(|error| Failure::Usage(format!("the secret {error}")))?;
            let (id, seconds) = (
                format!("stella-send-{}", SystemClock.now().timestamp_micros()),
                SystemClock.now().timestamp(),
            );
            let signature = key.sign_standard(&id, seconds, body.as_bytes());
            let header = |name: &str, value| (name.to_owned(), value);
            Ok(vec![
                header("webhook-id", id),
                header("webhook-timestamp", seconds.to_string()),
                header("webhook-signature", signature),
            ])
        }
        Scheme::Either(first, second) => {
            let simpler = if matches!(**second, Scheme::Token { .. }) { second } else { first };
            headers(simpler, Some(secret()?), body)
        }
        Scheme::HttpSignature { .. } | Scheme::Oidc { .. } => Err(Failure::Usage(
            "the config's authentication cannot be produced here (HTTP signature or OIDC token)".to_owned(),
        )),
    }
}
