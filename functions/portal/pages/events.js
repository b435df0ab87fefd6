// The catalogue of events, and what happened.

import * as api from "./api.js";
import { h } from "./dom.js";
import { choice, form, json } from "./form.js";
import { badge, code, empty, exactly, facts, go, heading, id, link, notice, number, paged, section, table, time } from "./ui.js";

/** @param {Api.Event[]} rows */
const eventTable = (rows) => table("Events", [
  ["Event", (row) => link(`#/events/${row.id}`, row.event)],
  ["Id", (row) => id(row.id), "cut"],
  ["When", (row) => time(row.timestamp), "right"],
], rows);

async function list() {
  const types = await api.get("/event-types");
  const happened = await paged((more) => api.page("/events", { pageSize: 20, ...more }), eventTable,
    empty("No events yet", "A release, a promotion, a deployment: whatever is published appears here."));
  const about = types.map((type) => h("details", { class: "attempt" },
    h("summary", {}, h("strong", {}, type.name), h("span", { class: "muted" }, type.description), type.operational && badge("operational", "Raised only where a subscription names it")),
    h("div", { class: "columns" }, h("div", { class: "list" }, h("h3", {}, "Example"), code(type.example, `Example of ${type.name}`)), h("div", { class: "list" }, h("h3", {}, "Schema"), code(type.schema, `Schema of ${type.name}`)))));
  return h("div", {},
    heading("Events", api.may("publisher") && link("#/events/publish", "Publish one")),
    section("What happened", happened), section("Catalogue", about));
}

/** @param {Record<string, string>} query */
async function publish(query) {
  const types = (await api.get("/event-types")).filter(({ operational }) => !operational);
  /** @param {string} name */
  const example = (name) => types.find((type) => type.name === name)?.example;
  const first = query.event ?? types[0].name;
  const body = json({ name: "data", label: "Data", rows: 18, value: example(first), help: "Checked against the schema of its type; further members are kept." });
  const kind = choice({ name: "event", label: "Event", value: first, choices: types.map(({ name }) => [name, name]), onchange: (name) => body.write(example(name)) });
  return h("div", {}, heading("Publish an event"),
    h("div", { class: "card" }, form("Publish", [kind, body], async (values) => {
      const { id: made } = await api.post("/events", values);
      notice("Published");
      go(`#/events/${made}`);
    }, link("#/events", "Cancel"))));
}

/** @param {string} key */
async function one(key) {
  const [event, subscriptions] = await Promise.all([api.get(`/events/${key}`), api.all("/webhook-subscriptions")]);
  const names = new Map(subscriptions.map(({ id, name }) => [id, name]));
  return h("div", {},
    heading(event.event),
    section("Event", facts(["Id", id(event.id)], ["When", exactly(event.timestamp)],
      event.fanOut?.status === "failed" && ["Not delivered to all", event.fanOut.reason])),
    section("Its deliveries", event.deliveries?.length ? table("Deliveries", [
      ["Status", (row) => badge(row.status)],
      ["Delivery", (row) => link(`#/deliveries/${row.id}`, id(row.id)), "cut"],
      ["Subscription", (row) => link(`#/subscriptions/${row.subscriptionId}`, names.get(row.subscriptionId) ?? id(row.subscriptionId)), "cut"],
      ["Attempts", (row) => number(row.attempts), "right"],
    ], event.deliveries) : h("p", { class: "muted" }, event.fannedOut ? "No subscription wanted it." : "It is not decided yet who gets it.")),
    section("Data", code(event.data, "Data of the event")));
}

/**
 * @param {string[]} parts
 * @param {Record<string, string>} query
 */
export const render = (parts, query) =>
  parts[0] === "publish" ? publish(query) : parts.length ? one(parts[0]) : list();
