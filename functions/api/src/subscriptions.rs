//! Subscriptions: create, change, test and delete.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::try_join_all;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use stella::app::outbound::receiver_health;
use stella::app::outbound::test_delivery::{self, TestDelivery};
use stella::domain::outbound::event_type::EventType;
use stella::domain::outbound::selection::{Selection, SelectionPreview};
use stella::domain::outbound::subscription::{self, Subscription};
use stella::domain::outbound::subscription_view::SubscriptionView;
use stella::domain::shared::delivery_id::DeliveryId;
use stella::domain::shared::ids::SubscriptionId;
use stella::domain::shared::merge_patch::Change;
use stella::domain::shared::object_reader::ObjectReader;
use stella::error::{Code, Error, Kind};
use stella::store::Page;
use stella::web::authenticator::{Admin, Viewer};
use stella::web::data;
use stella::web::idempotency::Made;
use stella::web::request::{self, Body, ListQuery, New};
use uuid::Uuid;

use crate::Api;
use crate::grace::grace;
use crate::openapi::operation::operation;
use crate::resource::{self, Call, Description, Resource};
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    resource::routes::<Subscription>()
        .post(
            "/webhook-subscriptions/preview",
            preview,
            operation(
                "previewSelection",
                "Preview a selection",
                "Returns whether a subscription would get an event. Nothing is stored or sent.",
            )
            .takes(Selection::read)
            .described_by::<SubscriptionView>()
            .with_example(|| {
                json!({"event": "deployment.completed", "events": ["deployment.*"], "filters": [production()]})
            })
            .returns::<SelectionPreview>(200),
        )
        .post(
            "/webhook-subscriptions/{id}/rotate-secret",
            rotate_secret,
            operation(
                "rotateSecret",
                "Rotate the signing secret",
                "Generates a new signing secret and shows it once. The previous one also signs for the grace period.",
            )
            .takes(grace)
            .with_example(|| json!({"gracePeriodSeconds": 3_600}))
            .returns::<SubscriptionView>(200)
            .conflicts(
                "`no_signing_secret`: its `authType` is not `signature`. `changed_meanwhile`: repeat the request.",
            ),
        )
        .post(
            "/webhook-subscriptions/{id}/test",
            test,
            operation(
                "testSubscription",
                "Test a subscription",
                "Makes one attempt at once, with the example of an event type, and returns the result. The status is \
                 200 whatever the receiver answers.",
            )
            .takes(read_test)
            .with_example(|| json!({"event": "deployment.completed"}))
            .returns_bare::<TestAnswer>(200)
            .conflicts("`pull_subscription`: its deliveries are fetched."),
        )
}

impl Resource for Subscription {
    type View = SubscriptionView;

    const DESCRIPTION: Description = Description {
        tag: "Subscriptions",
        collection: "/webhook-subscriptions",
        item: "/webhook-subscriptions/{id}",
        id: "Subscription",
        noun: "subscription",
        list: ["List subscriptions", "Returns the subscriptions of the tenant, newest first."],
        create: "Creates a subscription. Events that it selects are delivered from now on.",
        create_conflicts: None,
        replace: "Replaces the subscription's members. Members that are left out get their defaults; stored secrets stay.",
        delete: "Deletes the subscription. Its open deliveries are cancelled.",
        delete_conflicts: None,
        examples: [example, example, || json!({"timeout": 10_000})],
    };

    fn read(members: &mut ObjectReader<'_>) -> Option<()> {
        subscription::read(members, true).map(drop)
    }

    async fn list(call: &Call, query: &ListQuery) -> Result<Page<SubscriptionView>, Error> {
        let found: Page<Self> = call.rows("SUBSCRIPTION#", query).await?;
        let views = try_join_all(found.items.iter().map(|row| view(&call.api, row, None))).await?;
        Ok(found.with(views))
    }

    async fn create(call: &Call, id: Uuid, body: &Value) -> Result<Made<SubscriptionView>, Error> {
        let subscriptions = &call.api.subscriptions;
        let (made, minted) = subscriptions.create(call.tenant, id, body, &call.origin, call.now).await?;
        let shows_secret = minted.is_some();
        Ok(Made::created(view(&call.api, &made, minted).await?, shows_secret))
    }

    async fn show(call: &Call) -> Result<SubscriptionView, Error> {
        let found = call.api.store.subscription(call.tenant, call.id()?).await?;
        view(&call.api, &found, None).await
    }

    async fn change(call: &Call, change: &Change) -> Result<SubscriptionView, Error> {
        let subscriptions = &call.api.subscriptions;
        let (after, minted) =
            subscriptions.change(call.tenant, call.id()?, change, &call.origin, call.now).await?;
        view(&call.api, &after, minted).await
    }

    async fn delete(call: &Call) -> Result<(), Error> {
        call.api.subscriptions.delete(call.tenant, call.id()?).await
    }
}

fn example() -> Value {
    json!({"name": "deployments", "url": "https://hooks.example.com/stella", "authType": "signature",
        "events": ["deployment.*"], "filters": [production()]})
}

fn production() -> Value {
    json!({"field": "data.environment.name", "operator": "equals", "value": "production"})
}

/// The answer to a test.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct TestAnswer {
    /// Whether the receiver accepted the delivery.
    success: bool,
    /// The attempt. `null` if none could be made.
    data: Option<TestAttempt>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The attempt of a test.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TestAttempt {
    /// The delivery in the log.
    delivery_id: DeliveryId,
    /// The status code that the receiver answered.
    #[schemars(range(min = 100, max = 999))]
    status_code: Option<u16>,
    /// How long the attempt took, in milliseconds.
    response_time: u64,
    /// The beginning of the body that the receiver answered.
    response: Option<String>,
}

async fn preview(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Body(wanted): Body,
) -> Result<Response, Error> {
    let selection = ObjectReader::whole(&wanted, Selection::read)?;
    Ok(data(StatusCode::OK, &selection.view(caller.tenant, api.clock.now())))
}

fn read_test(fields: &mut ObjectReader<'_>) -> Option<EventType> {
    fields.require("event");
    fields.describe("event", "The type of the event that is sent.");
    fields.named("event", || EventType::ALL, str::parse)
}

/// The subscription with the health of its receiver. It contains a signing secret only if that was generated
/// by this request.
async fn view(
    api: &Api,
    subscription: &Subscription,
    minted: Option<String>,
) -> Result<SubscriptionView, Error> {
    let receiver = receiver_health::view(&api.store, subscription, api.clock.now()).await?;
    Ok(subscription.view(receiver, minted))
}

async fn rotate_secret(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
    new: New,
) -> Result<Response, Error> {
    let grace = ObjectReader::whole(&new.wanted, grace)?;
    let id: SubscriptionId = request::id(&id)?;
    let act = async |_| {
        let (after, secret) =
            api.subscriptions.rotate_secret(caller.tenant, id, grace, api.clock.now()).await?;
        let data = view(&api, &after, Some(secret)).await?;
        Ok(Made { status: StatusCode::OK, data, shows_secret: true })
    };
    let route = format!("POST /webhook-subscriptions/{id}/rotate-secret");
    api.creation(caller.tenant, &route, &new).run(act).await
}

async fn test(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
    Body(wanted): Body,
) -> Result<Response, Error> {
    let subscription = api.store.subscription(caller.tenant, request::id(&id)?).await?;
    let event = ObjectReader::whole(&wanted, read_test)?;
    if subscription.spec.is_pull() {
        let detail = "Nobody is called for this subscription: publish an event and fetch its delivery";
        return Err(Error::new(Kind::Conflict, Code::PullSubscription, detail));
    }
    match test_delivery::send(&api.store, &api.sender, &subscription, event, api.clock.now()).await {
        Ok(tested) => Ok(answer(tested)),
        // Only the caller who set the reference can correct it.
        Err(error) if error.is_transient() && subscription.spec.credential_ref.is_some() => {
            let error = "The credential that credentialRef names cannot be read".to_owned();
            Ok(Json(TestAnswer { success: false, data: None, error: Some(error) }).into_response())
        }
        Err(error) => Err(error),
    }
}

/// The answer to a test. Its status is 200 whatever the receiver answered, because the test itself was made.
fn answer(tested: TestDelivery) -> Response {
    let attempt = tested.outcome.attempt;
    let data = TestAttempt {
        delivery_id: tested.delivery_id,
        status_code: attempt.status_code,
        response_time: attempt.response_time,
        response: tested.outcome.response,
    };
    Json(TestAnswer { success: attempt.success, data: Some(data), error: attempt.error }).into_response()
}
