//! Makes what the template declares in services elsewhere, and leaves as it is what is there already.

use serde_json::{Value, json};
use stella::error::Error;

use super::{DYNAMODB, Failure, Remote, SECRETS_MANAGER, SQS, text};
use crate::creation::{generated, is_operator_key, operator_key};
use crate::wiring::{Secret, Wiring};

impl Remote {
    /// Makes the tables, queues and secrets; the operator's key, where the template declares one.
    pub(crate) async fn create(&self, wiring: &Wiring) -> Result<Option<String>, Error> {
        for table in &wiring.tables {
            if self.made(DYNAMODB, "CreateTable", table, "ResourceInUseException").await? {
                self.expire(wiring, text(table, "/TableName")?).await?;
            }
        }
        for queue in &wiring.queues {
            let request = json!({"QueueName": queue.name, "Attributes": queue.attributes});
            self.call(SQS, "CreateQueue", &request).await?;
        }
        let mut key = None;
        for secret in &wiring.secrets {
            let text = self.secret(secret).await?;
            if is_operator_key(secret) {
                key = Some(operator_key(&text));
            }
        }
        Ok(key)
    }

    async fn expire(&self, wiring: &Wiring, table: &str) -> Result<(), Error> {
        let Some(attribute) = wiring.expiring.get(table) else { return Ok(()) };
        let expiry = json!({"AttributeName": attribute, "Enabled": true});
        let request = json!({"TableName": table, "TimeToLiveSpecification": expiry});
        self.call(DYNAMODB, "UpdateTimeToLive", &request).await?;
        Ok(())
    }

    /// Makes a secret, unless it is there; its text.
    async fn secret(&self, secret: &Secret) -> Result<String, Error> {
        let token = uuid::Uuid::new_v4();
        let request =
            json!({"Name": secret.name, "SecretString": generated(secret), "ClientRequestToken": token});
        self.made(SECRETS_MANAGER, "CreateSecret", &request, "ResourceExistsException").await?;
        let answer = self.call(SECRETS_MANAGER, "GetSecretValue", &json!({"SecretId": secret.name})).await?;
        text(&answer, "/SecretString").map(str::to_owned)
    }

    /// Whether something was made, and was not there before.
    async fn made(
        &self,
        service: &str,
        operation: &str,
        request: &Value,
        exists: &str,
    ) -> Result<bool, Error> {
        match self.call(service, operation, request).await {
            Ok(_) => Ok(true),
            Err(Failure::Refused(refusal)) if refusal.code == exists => Ok(false),
            Err(failure) => Err(failure.into()),
        }
    }
}
