// The API's enumerations, as its OpenAPI document has them. Generated: a test in tests/tests/all/openapi.rs compares them.

/** The states of a delivery. */
export const STATUSES = ["pending", "retrying", "paused", "delivered", "failed", "skipped", "cancelled"];

/** The operators of filters. */
export const OPERATORS = ["equals", "notEquals", "contains", "matches", "in", "exists", "startsWith"];
