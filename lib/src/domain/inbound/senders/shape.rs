//! Who writes bodies of this shape: for configs that name no sender. What is not unmistakable is generic.

use serde_json::Value;

use super::{
    Reader, acr, artifactory, azure_devops, bitbucket, buildkite, cdevents, circleci, distribution,
    dockerhub, ecr, gar, generic, ghcr, gitea, github, gitlab, harbor, jenkins, nexus, quay, tekton,
};
use crate::domain::inbound::json;

pub(super) fn reader(payload: &Value) -> Reader {
    let first = payload.get(0).unwrap_or(payload);
    let has = |pointer: &str| payload.pointer(pointer).is_some();
    let says = |pointer: &str| json::text(payload, pointer).unwrap_or_default();
    let begins = |pointer: &str, start: &str| says(pointer).starts_with(start);
    let shapes: [(bool, Reader); 21] = [
        (has("/push_data"), dockerhub::read),
        ((has("/type") && has("/event_data")) || begins("/type", "harbor."), harbor::read),
        (has("/updated_tags"), quay::read),
        (has("/package/package_version") || has("/registry_package"), ghcr::read),
        (has("/package/type") && has("/package/owner"), gitea::read),
        (has("/events/0/target"), distribution::read),
        (begins("/detail-type", "ECR "), ecr::read),
        (says("/domain") == "docker" && has("/event_type"), artifactory::read),
        (has("/component/format"), nexus::read),
        (has("/target/repository") && has("/action"), acr::read),
        (first.get("eventType").is_some() && first.get("data").is_some(), acr::read),
        (has("/message/data") && has("/subscription"), gar::read),
        (
            has("/workflow_run") || has("/workflow_job") || has("/check_suite") || has("/hook_id"),
            github::read,
        ),
        (has("/object_kind"), gitlab::read),
        (has("/build/phase"), jenkins::read),
        (matches!(says("/type"), "workflow-completed" | "job-completed"), circleci::read),
        (begins("/event", "build.") && has("/pipeline"), buildkite::read),
        (has("/eventType") && has("/resource"), azure_devops::read),
        (has("/pipelineRun/status") || has("/taskRun/status"), tekton::read),
        (begins("/context/type", "dev.cdevents."), cdevents::read),
        (has("/push/changes") || has("/pullrequest") || has("/eventKey"), bitbucket::read),
    ];
    let found = shapes.into_iter().find(|(is_theirs, _)| *is_theirs);
    found.map_or(generic::read as Reader, |(_, reader)| reader)
}
