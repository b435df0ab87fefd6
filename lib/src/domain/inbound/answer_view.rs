//! The answer to a sender's request, as its sender gets it.

use serde::Serialize;

use super::normalised::EventKind;
use super::receipt::{Action, Answer, EventResult, Figures, ResultAction, summed_up};
use crate::domain::shared::ids::{ComponentId, ReceiptId, ReleaseId};

/// The body of an answer to a sender.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AnswerBody {
    /// What was done.
    Answer(AnswerView),
    /// A code, sent back.
    Handshake(Handshake),
}

/// The answer to a sender's request.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Answer"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AnswerView {
    /// Always `true`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = true)))]
    pub success: bool,
    /// What was done with the request.
    pub action: AnswerAction,
    /// Why the request was ignored; or why its first event added no version, or else created no release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The release that exists already, so that none was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_id: Option<ReleaseId>,
    /// The first component that the request was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component_id: Option<Nullable<ComponentId>>,
    /// How many versions were added to version maps, moved tags included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions_added: Option<u64>,
    /// How many triggers created a release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triggers_activated: Option<u64>,
    /// One result for each event and component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results: Option<Vec<ResultView>>,
    /// The id of the receipt, which is the request's entry in the log. Absent in a preview.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt_id: Option<ReceiptId>,
}

/// A member that may be `null`, and may also be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Nullable<T>(pub Option<T>);

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Nullable<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"anyOf": [generator.subschema_for::<T>(), {"const": null}]})
    }
}

/// What was done with a request.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerAction {
    /// At least one event was processed.
    Processed,
    /// The service is not interested in the request, for the reason given.
    Ignored,
    /// Every event of the request was processed before.
    Duplicate,
    /// The request asked whether anybody is there.
    Pong,
    /// The request will be processed later.
    Queued,
}

impl From<ResultAction> for AnswerAction {
    fn from(action: ResultAction) -> Self {
        match action {
            ResultAction::Processed => Self::Processed,
            ResultAction::Duplicate => Self::Duplicate,
            ResultAction::Ignored => Self::Ignored,
        }
    }
}

/// The answer to Event Grid's handshake.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Handshake {
    /// The code that the request had.
    pub validation_response: String,
}

/// What was done with one event for one component.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Result"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultView {
    /// The kind of event.
    pub kind: EventKind,
    /// The repository that the event is about.
    pub repository: String,
    /// The tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What was done with the event.
    pub action: ResultAction,
    /// Why the event was ignored, added no version, or created no release. `older`: a newer push of the tag is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The release that exists already, so that none was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_id: Option<ReleaseId>,
    /// The component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component_id: Option<ComponentId>,
    /// How many versions were added to the version map, moved tags included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions_added: Option<u32>,
    /// How many triggers created a release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triggers_activated: Option<u32>,
    /// The releases that were created.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<ReleaseId>,
    /// The receipt of the first request that had this event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_receipt_id: Option<ReceiptId>,
}

impl Answer {
    /// The answer's body; a preview has no receipt.
    #[must_use]
    pub fn view(&self, receipt: Option<ReceiptId>) -> AnswerBody {
        let simple = |action| AnswerView {
            success: true,
            action,
            reason: None,
            release_id: None,
            component_id: None,
            versions_added: None,
            triggers_activated: None,
            results: None,
            receipt_id: receipt,
        };
        AnswerBody::Answer(match self {
            Self::Results(results) => summary(results, &simple),
            Self::Ignored(reason) => {
                AnswerView { reason: Some(reason.clone()), ..simple(AnswerAction::Ignored) }
            }
            Self::Handshake(code) => {
                return AnswerBody::Handshake(Handshake { validation_response: code.clone() });
            }
            Self::Pong => simple(AnswerAction::Pong),
            Self::Queued => simple(AnswerAction::Queued),
        })
    }
}

/// One answer for all results. Figures are added up; the component is the first one's, and so is the reason
/// where everything is ignored.
fn summary(results: &[EventResult], simple: &impl Fn(AnswerAction) -> AnswerView) -> AnswerView {
    let (action, figures) = summed_up(results);
    let mut view = simple(action.into());
    if figures.is_empty() {
        let ignored = results.iter().find_map(|result| match &result.action {
            Action::Ignored { reason, release_id } => Some((reason.as_str(), *release_id)),
            Action::Processed(_) | Action::Duplicate { .. } => None,
        });
        let (reason, release_id) = ignored.unwrap_or(("Nothing of interest", None));
        (view.reason, view.release_id) = (Some(reason.to_owned()), release_id);
    } else {
        view.reason = figures.iter().find_map(|figures| figures.reason.clone());
        view.release_id = figures.iter().find_map(|figures| figures.release_id);
        let sum =
            |count: fn(&Figures) -> u32| figures.iter().map(|figures| u64::from(count(figures))).sum::<u64>();
        view.component_id = Some(Nullable(figures.iter().find_map(|figures| figures.component_id)));
        view.versions_added = Some(sum(|figures| figures.versions_added));
        view.triggers_activated = Some(sum(|figures| figures.triggers_activated));
    }
    view.results = Some(results.iter().map(EventResult::view).collect());
    view
}

impl EventResult {
    /// The result as a sender gets it.
    #[must_use]
    pub fn view(&self) -> ResultView {
        let (action, figures, first_receipt_id) = match &self.action {
            Action::Processed(figures) => (ResultAction::Processed, Some(figures), None),
            Action::Duplicate { figures, first_receipt_id } => {
                (ResultAction::Duplicate, Some(figures), Some(*first_receipt_id))
            }
            Action::Ignored { .. } => (ResultAction::Ignored, None, None),
        };
        let (reason, release_id) = match &self.action {
            Action::Processed(figures) | Action::Duplicate { figures, .. } => {
                (figures.reason.clone(), figures.release_id)
            }
            Action::Ignored { reason, release_id } => (Some(reason.clone()), *release_id),
        };
        ResultView {
            kind: self.kind,
            repository: self.repository.clone(),
            tag: self.tag.clone(),
            action,
            reason,
            release_id,
            component_id: figures.and_then(|figures| figures.component_id),
            versions_added: figures.map(|figures| figures.versions_added),
            triggers_activated: figures.map(|figures| figures.triggers_activated),
            releases: figures.map(|figures| figures.releases.clone()).unwrap_or_default(),
            first_receipt_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn result(action: Action) -> EventResult {
        EventResult {
            kind: EventKind::ArtifactPushed,
            repository: "myorg/myapp".to_owned(),
            tag: Some("v1.2.0".to_owned()),
            action,
        }
    }

    fn figures(versions_added: u32, triggers_activated: u32) -> Figures {
        let component_id = Some(ComponentId::from(Uuid::nil()));
        Figures { component_id, versions_added, triggers_activated, ..Figures::default() }
    }

    fn receipt() -> ReceiptId {
        ReceiptId::from(Uuid::nil())
    }

    #[test]
    fn a_processed_push_has_its_figures_at_the_top() {
        let answer = Answer::Results(vec![result(Action::Processed(figures(1, 2)))]);
        let answer = json!(answer.view(Some(receipt())));
        assert_eq!(answer["success"], true);
        assert_eq!(answer["action"], "processed");
        assert_eq!(answer["componentId"], Uuid::nil().to_string());
        assert_eq!((&answer["versionsAdded"], &answer["triggersActivated"]), (&json!(1), &json!(2)));
        assert_eq!(answer["results"][0]["action"], "processed");
        assert_eq!(answer["receiptId"], Uuid::nil().to_string());
    }

    #[test]
    fn one_processed_event_outweighs_duplicates_and_ignored_ones() {
        let ignored = || result(Action::ignored("No matching component"));
        let duplicate = result(Action::Duplicate { figures: figures(1, 1), first_receipt_id: receipt() });
        let all = vec![ignored(), duplicate, result(Action::Processed(figures(1, 0)))];
        let answer = json!(Answer::Results(all.clone()).view(Some(receipt())));
        assert_eq!((&answer["action"], &answer["triggersActivated"]), (&json!("processed"), &json!(0)));
        let answer = json!(Answer::Results(all[..2].to_vec()).view(Some(receipt())));
        assert_eq!((&answer["action"], &answer["triggersActivated"]), (&json!("duplicate"), &json!(1)));
        let answer = json!(Answer::Results(vec![ignored()]).view(Some(receipt())));
        assert_eq!(
            (&answer["action"], &answer["reason"]),
            (&json!("ignored"), &json!("No matching component"))
        );
    }
}
