"""Resolves the conditions of a template for given parameters."""

NO_VALUE = {"Ref": "AWS::NoValue"}


def holds(conditions, name, given):
    """Whether a condition holds with these parameters."""
    return _value({"Condition": name}, conditions, given)


def _value(term, conditions, given):
    if not isinstance(term, dict):
        return str(term)
    ((function, argument),) = term.items()
    if function == "Ref":
        return given[argument]
    if function == "Condition":
        return _value(conditions[argument], conditions, given)
    parts = [_value(part, conditions, given) for part in argument]
    return {
        "Fn::Equals": lambda: parts[0] == parts[1],
        "Fn::Not": lambda: not parts[0],
        "Fn::And": lambda: all(parts),
        "Fn::Or": lambda: any(parts),
    }[function]()


def resolved(template, given):
    """The template with its conditions resolved: without the resources, outputs and members that they exclude."""
    conditions = template.get("Conditions", {})

    def walk(node):
        if isinstance(node, list):
            return [member for member in map(walk, node) if member != NO_VALUE]
        if not isinstance(node, dict):
            return node
        if set(node) == {"Fn::If"}:
            name, then, otherwise = node["Fn::If"]
            return walk(then if holds(conditions, name, given) else otherwise)
        walked = {name: walk(member) for name, member in node.items()}
        return {name: member for name, member in walked.items() if member != NO_VALUE}

    def kept(section):
        there = template.get(section, {}).items()
        return {name: walk(it) for name, it in there if "Condition" not in it or holds(conditions, it["Condition"], given)}

    return {**template, "Resources": kept("Resources"), "Outputs": kept("Outputs")}
