"""Finds what CloudFormation or a service would refuse in a template whose conditions are resolved.

Each quota is from the service's page of quotas (docs.aws.amazon.com). None of them can be raised.
"""

import json
import re

REFERENCE = re.compile(r"\$\{([A-Za-z0-9:]+)(?:\.[A-Za-z0-9.]+)?\}")


def violations(template):
    """All violations, each with its place."""
    resources = template["Resources"]
    found = list(_of_the_whole(template))
    found += _dangling(template)
    found += _circles(resources)
    for name, resource in resources.items():
        check = CHECKS.get(resource["Type"])
        found += [f"{name}: {what}" for what in (check(resource.get("Properties", {})) if check else [])]
    return found


def _of_the_whole(template):
    if len(template["Resources"]) > 500:
        yield "more than 500 resources"
    if len(template["Parameters"]) > 200 or len(template["Outputs"]) > 200:
        yield "more than 200 parameters or outputs"
    if len(json.dumps(template)) > 1024 * 1024:
        yield "more than 1 MiB"
    for name in [*template["Resources"], *template["Parameters"], *template["Outputs"]]:
        if not re.fullmatch("[A-Za-z0-9]{1,255}", name):
            yield f"{name}: a logical id has letters and digits, 255 at most"


def references(node):
    """The logical ids that a part of a template refers to."""
    if isinstance(node, list):
        return {name for member in node for name in references(member)}
    if not isinstance(node, dict):
        return set()
    if set(node) == {"Ref"}:
        return {node["Ref"]}
    if set(node) == {"Fn::GetAtt"}:
        at = node["Fn::GetAtt"]
        return {at.split(".")[0] if isinstance(at, str) else at[0]}
    if set(node) == {"Fn::Sub"}:
        text, own = (node["Fn::Sub"], {}) if isinstance(node["Fn::Sub"], str) else node["Fn::Sub"]
        return set(REFERENCE.findall(text)) - set(own) | references(list(own.values()))
    return {name for member in node.values() for name in references(member)}


def _dangling(template):
    known = set(template["Resources"]) | set(template["Parameters"])
    for section in ["Resources", "Outputs"]:
        for name, it in template[section].items():
            for other in sorted(references(it) - known):
                if not other.startswith("AWS::"):
                    yield f"{name}: refers to {other}, which does not exist under these conditions"


def _circles(resources):
    """Circular dependencies between resources."""
    waits = {}
    for name, resource in resources.items():
        before = resource.get("DependsOn", [])
        before = {before} if isinstance(before, str) else set(before)
        waits[name] = {other for other in references(resource.get("Properties", {})) | before if other in resources}
    while ready := [name for name, others in waits.items() if not others & set(waits)]:
        for name in ready:
            del waits[name]
    return [f"circular dependency: {', '.join(sorted(waits))}"] if waits else []


def _alarm(properties):
    metrics = properties.get("Metrics", [])
    if sum("MetricStat" in metric for metric in metrics) > 10 or sum("Expression" in metric for metric in metrics) > 10:
        yield "an alarm has at most ten metrics and ten expressions"
    if metrics and sum(metric.get("ReturnData", True) for metric in metrics) != 1:
        yield "an alarm returns the data of exactly one metric"
    if len({metric["MetricStat"]["Period"] for metric in metrics if "MetricStat" in metric}) > 1:
        yield "all metrics of an alarm have the same period"
    for metric in metrics:
        if not re.fullmatch("[a-z][A-Za-z0-9_]*", metric["Id"]):
            yield f"the id {metric['Id']} must begin with a lower-case letter"
        if "SEARCH" in metric.get("Expression", ""):
            yield "an alarm cannot use SEARCH"
    if len(properties.get("AlarmDescription", "")) > 1024:
        yield "a description of more than 1024 characters"


def _function(properties):
    variables = properties.get("Environment", {}).get("Variables", {})
    # The value of a reference is not known here. An ARN or an address has about 100 characters.
    size = sum(len(name) + (len(value) if isinstance(value, str) else 100) for name, value in variables.items())
    if size > 4096:
        yield f"variables of about {size} bytes; the maximum is 4096"
    if len(properties.get("Description", "")) > 256:
        yield "a description of more than 256 characters"


def _role(properties):
    policies = json.dumps([policy["PolicyDocument"] for policy in properties.get("Policies", [])])
    if len(re.sub(r"\s", "", policies)) > 10240:
        yield "inline policies of more than 10240 characters"
    if len(properties.get("ManagedPolicyArns", [])) > 10:
        yield "more than ten managed policies"


def _deployment_group(properties):
    if len(properties.get("AlarmConfiguration", {}).get("Alarms", [])) > 10:
        yield "more than ten alarms"


def _table(properties):
    if len(properties.get("GlobalSecondaryIndexes", [])) > 20:
        yield "more than 20 indexes"
    keys = [*properties["KeySchema"]]
    for index in properties.get("GlobalSecondaryIndexes", []):
        keys += index["KeySchema"]
    if {key["AttributeName"] for key in keys} != {it["AttributeName"] for it in properties["AttributeDefinitions"]}:
        yield "the defined attributes must be those of the keys"


CHECKS = {
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CodeDeploy::DeploymentGroup": _deployment_group,
    "AWS::DynamoDB::Table": _table,
    "AWS::IAM::Role": _role,
    "AWS::Lambda::Function": _function,
}
