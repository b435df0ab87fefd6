//! The operator's API key.

use sam_local::{Error, Stack};

/// The end of the name of the secret with the operator's key.
const SECRET: &str = "/system/operator-key";
/// The prefix of the key, before the secret's text.
const PREFIX: &str = "stk_operator_";

/// The operator's key of a running stack; `None` if its template declares no such secret.
///
/// # Errors
/// If the secret cannot be read.
pub async fn operator_key(stack: &Stack) -> Result<Option<String>, Error> {
    let mut secrets = stack.wiring().secrets.iter();
    let Some(secret) = secrets.find(|secret| secret.name.ends_with(SECRET)) else { return Ok(None) };
    Ok(stack.secret(&secret.name).await?.map(|text| format!("{PREFIX}{text}")))
}

#[cfg(test)]
mod tests {
    use sam_local::{Functions, Settings};

    use super::*;

    async fn key(secret: &str) -> Option<String> {
        let template = format!(
            "{{Resources: {{Key: {{Type: AWS::SecretsManager::Secret, Properties: {{Name: {secret},
              GenerateSecretString: {{PasswordLength: 43, ExcludePunctuation: true}}}}}}}}}}"
        );
        let stack = Stack::start(Settings::new(template, Functions::default())).await.unwrap();
        let key = operator_key(&stack).await.unwrap();
        assert_eq!(stack.secret("/absent").await.unwrap(), None);
        stack.stop().await;
        key
    }

    #[tokio::test]
    async fn the_operators_key_is_the_text_of_its_secret_after_a_prefix() {
        let key_of_secret = key("/test/system/operator-key").await.unwrap();
        assert_eq!(key_of_secret.strip_prefix("stk_operator_").unwrap().len(), 43);
        assert_eq!(key("/test/system/master-key").await, None);
    }
}
