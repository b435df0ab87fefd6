//! Creates the tables, queues and secrets of the template in the services at an address.

use serde_json::{Value, json};

use super::{DYNAMODB, Failure, Remote, SECRETS_MANAGER, SQS, text};
use crate::error::Error;
use crate::provision::generated;
use crate::wiring::Wiring;

impl Remote {
    /// Creates the tables, queues and secrets that do not exist yet.
    pub(crate) async fn create(&self, wiring: &Wiring) -> Result<(), Error> {
        for table in &wiring.tables {
            if self.create_if_absent(DYNAMODB, "CreateTable", table, "ResourceInUseException").await? {
                self.expire(wiring, text(table, "/TableName")?).await?;
            }
        }
        for queue in &wiring.queues {
            let request = json!({"QueueName": queue.name, "Attributes": queue.attributes});
            self.call(SQS, "CreateQueue", &request).await?;
        }
        for secret in &wiring.secrets {
            let token = uuid::Uuid::new_v4();
            let request =
                json!({"Name": secret.name, "SecretString": generated(secret), "ClientRequestToken": token});
            self.create_if_absent(SECRETS_MANAGER, "CreateSecret", &request, "ResourceExistsException")
                .await?;
        }
        Ok(())
    }

    /// The text of a secret; `None` if there is no secret of this name.
    pub(crate) async fn secret(&self, name: &str) -> Result<Option<String>, Error> {
        match self.call(SECRETS_MANAGER, "GetSecretValue", &json!({"SecretId": name})).await {
            Ok(answer) => Ok(text(&answer, "/SecretString").ok().map(str::to_owned)),
            Err(Failure::Refused(refusal)) if refusal.code == "ResourceNotFoundException" => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn expire(&self, wiring: &Wiring, table: &str) -> Result<(), Error> {
        let Some(attribute) = wiring.expiring.get(table) else { return Ok(()) };
        let expiry = json!({"AttributeName": attribute, "Enabled": true});
        let request = json!({"TableName": table, "TimeToLiveSpecification": expiry});
        self.call(DYNAMODB, "UpdateTimeToLive", &request).await?;
        Ok(())
    }

    /// Creates something; whether it did not exist before.
    async fn create_if_absent(
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
