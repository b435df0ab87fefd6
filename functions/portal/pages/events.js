// The published events, and the event types.

import * as api from "./api.js";
import { h } from "./dom.js";
import { choice, form, json } from "./form.js";
import { badge, code, empty, exactTime, facts, heading, id, link, navigate, notice, number, paged, section, table, time } from "./ui.js";

/** @param {Api.Event[]} rows */
const eventTable = (rows) => table("Events", [
  ["Event", (row) => link(`#/events/${row.id}`, row.event)],
  ["ID", (row) => id(row.id), "cut"],
  ["Time", (row) => time(row.timestamp), "right"],
], rows);

/** @param {Api.EventType} type */
function typeView(type) {
  const operational = type.operational && badge("operational", "Only raised for subscriptions that name it");
  return h("details", { class: "attempt" },
    h("summary", {}, h("strong", {}, type.name), h("span", { class: "muted" }, type.description), operational),
    h("div", { class: "columns" },
      h("div", { class: "list" }, h("h3", {}, "Example"), code(type.example, `Example of ${type.name}`)),
      h("div", { class: "list" }, h("h3", {}, "Schema"), code(type.schema, `Schema of ${type.name}`))));
}

async function list() {
  const types = await api.get("/event-types");
  const published = await paged((more) => api.page("/events", { pageSize: 20, ...more }), eventTable,
    empty("No events yet", "Published events appear here: releases, promotions, deployments."));
  return h("div", {},
    heading("Events", api.hasRole("publisher") && link("#/events/publish", "Publish event")),
    section("Published events", published), section("Event types", types.map(typeView)));
}

/** @param {Record<string, string>} query */
async function publish(query) {
  const types = (await api.get("/event-types")).filter(({ operational }) => !operational);
  /** @param {string} name */
  const example = (name) => types.find((type) => type.name === name)?.example;
  const first = query.event ?? types[0].name;
  const body = json({
    name: "data", label: "Data", rows: 18, value: example(first),
    help: "Must match the schema of the event type; additional members are kept.",
  });
  const type = choice({
    name: "event", label: "Event", value: first, choices: types.map(({ name }) => [name, name]),
    onchange: (name) => body.write(example(name)),
  });
  return h("div", {}, heading("Publish event"),
    h("div", { class: "card" }, form("Publish", [type, body], async (values) => {
      const { id: eventId } = await api.post("/events", values);
      notice("Published");
      navigate(`#/events/${eventId}`);
    }, link("#/events", "Cancel"))));
}

/** @param {string} key */
async function one(key) {
  const [event, subscriptions] = await Promise.all([api.get(`/events/${key}`), api.all("/webhook-subscriptions")]);
  const names = new Map(subscriptions.map(({ id, name }) => [id, name]));
  /** @param {{ subscriptionId: string }} row */
  const subscription = ({ subscriptionId }) =>
    link(`#/subscriptions/${subscriptionId}`, names.get(subscriptionId) ?? id(subscriptionId));
  return h("div", {},
    heading(event.event),
    section("Event", facts(["ID", id(event.id)], ["Time", exactTime(event.timestamp)],
      event.fanOut?.status === "failed" && ["Fan-out failed", event.fanOut.reason])),
    section("Deliveries", event.deliveries?.length ? table("Deliveries", [
      ["Status", (row) => badge(row.status)],
      ["Delivery", (row) => link(`#/deliveries/${row.id}`, id(row.id)), "cut"],
      ["Subscription", subscription, "cut"],
      ["Attempts", (row) => number(row.attempts), "right"],
    ], event.deliveries) : h("p", { class: "muted" }, event.fannedOut ? "No subscription matched" : "Not fanned out yet")),
    section("Data", code(event.data, "Event data")));
}

/**
 * @param {string[]} parts
 * @param {Record<string, string>} query
 */
export const render = (parts, query) =>
  parts[0] === "publish" ? publish(query) : parts.length ? one(parts[0]) : list();
