// Components: their versions by channel, their triggers, and the releases those made.

import * as api from "./api.js";
import { h, show } from "./dom.js";
import { choice, eventFilters, form, lines, part, rows, text, toggle } from "./form.js";
import { badge, button, confirm, empty, exactly, facts, go, heading, id, link, modal, notice, number, paged, redraw, section, table, time } from "./ui.js";

/** @type {[string, string][]} */
const ON = [["artifact.pushed", "an artifact is pushed"], ["git.tag", "a tag is made"], ["release", "a release is published at the code host"], ["ci.finished", "a pipeline has finished"]];

async function list() {
  /** @param {Api.Component[]} all */
  const rows = (all) => table("Components", [
    ["Name", (row) => link(`#/components/${row.id}`, row.name)],
    ["Repositories", (row) => row.repositories.join(", "), "wrap"],
    ["Source", (row) => row.sourceRepositories.join(", ") || "–", "wrap"],
    ["Made", (row) => time(row.createdAt), "right"],
  ], all);
  return h("div", {},
    heading("Components", api.may("admin") && h("a", { class: "button primary", href: "#/components/new" }, "New component")),
    await paged((more) => api.page("/components", { pageSize: 50, ...more }), rows,
      empty("No components", "A component is what is released. It says which repositories its artifacts and its source are in.", api.may("admin") && link("#/components/new", "Make the first"))));
}

/**
 * @param {Api.Component | null} found
 * @param {(values: Values) => unknown} done
 */
function componentForm(found, done) {
  const controls = [
    text({ name: "name", label: "Name", required: true, value: found?.name, placeholder: "myapp", help: "For people, and for the names of releases." }),
    lines({ name: "repositories", label: "Repositories", value: found?.repositories, placeholder: "ghcr.io/myorg/myapp", help: "Where its artifacts are pushed to, one a line. With a host, there only." }),
    lines({ name: "sourceRepositories", label: "Source repositories", value: found?.sourceRepositories, placeholder: "myorg/myapp", help: "Where its source is: for what CI systems and code hosts tell." }),
    rows({
      name: "channelRules", label: "Channel rules", add: "Add a rule", value: found?.channelRules,
      help: "The first pattern that matches a tag decides its channel. Where none does, semantic versioning does: stable, rc, beta, …, edge.",
      columns: [["pattern", "Pattern", (value) => h("input", { type: "text", value: value ?? "", placeholder: "^nightly-" })], ["channel", "Channel", (value) => h("input", { type: "text", value: value ?? "", placeholder: "nightly" })]],
    }),
  ];
  return form(found ? "Save" : "Make it", controls, done, link(found ? `#/components/${found.id}` : "#/components", "Cancel"));
}

const create = () => h("div", {}, heading("New component"), h("div", { class: "card" }, componentForm(null, async (values) => {
  const made = await api.post("/components", values);
  notice("Made");
  go(`#/components/${made.id}`);
})));

/** @param {string} key */
async function edit(key) {
  const found = await api.get(`/components/${key}`);
  return h("div", {}, heading(found.name), h("div", { class: "card" }, componentForm(found, async (values) => {
    await api.patch(`/components/${key}`, values);
    go(`#/components/${key}`);
  })));
}

/**
 * @param {string} component
 * @param {Api.Trigger | null} found
 * @param {() => unknown} done
 */
function triggerForm(component, found, done) {
  const said = form(found ? "Save" : "Make it", [
    text({ name: "name", label: "Name", required: true, value: found?.name, placeholder: "every release" }),
    choice({ name: "on", label: "When", value: found?.on ?? "artifact.pushed", choices: ON }),
    text({ name: "versionRange", label: "Version range", value: found ? found.versionRange : "*", placeholder: "^1.2", help: "Semantic versions, as in ^1.2 or >=1, <2; * is every release, without pre-releases. Leave it empty to take every tag, latest and nightly too." }),
    text({ name: "tagPattern", label: "Tag pattern", value: found?.tagPattern, placeholder: "^v\\d+\\.\\d+\\.\\d+$", help: "A regular expression over the tag; not together with a range." }),
    part("More", Boolean(found),
      lines({ name: "channels", label: "Channels", rows: 2, value: found?.channels, placeholder: "stable", help: "One a line; without any, every channel." }),
      eventFilters(found?.filters, "$.result"),
      text({ name: "releaseName", label: "Name of its releases", value: found?.releaseName ?? "{component}-{tag}", help: "Of {component}, {tag}, {channel}, {commit}, {digest} and {date}." }),
      toggle({ name: "requireDigest", label: "Only with a digest that a registry could serve", value: found?.requireDigest }),
      toggle({ name: "enabled", label: "Enabled", value: found?.enabled ?? true })),
  ], async (values) => {
    if (found) await api.put(`/components/${component}/triggers/${found.id}`, values);
    else await api.post(`/components/${component}/triggers`, values);
    dialog.close();
    await done();
  });
  const dialog = modal(found ? found.name : "New trigger", said);
}

/** @param {Api.Version[]} rows */
function versionTable(rows) {
  return table("Versions", [
    ["Tag", (row) => [h("strong", {}, row.tag), row.retags > 0 && [" ", badge("retag", `It came to point at other content ${row.retags} times`)]]],
    ["Channel", (row) => badge(row.channel)],
    ["Digest or commit", (row) => (row.digest || row.commit ? id(row.digest ?? row.commit ?? "") : "–"), "cut"],
    ["Since", (row) => time(row.createdAt)],
    ["Before", (row) => row.history.length ? button(`${number(row.history.length + (row.historyDropped ?? 0))} earlier`, () => history(row), { class: "small" }) : "–", "right"],
  ], rows);
}

/** @param {Api.Version} row */
function history(row) {
  modal(`What ${row.tag} pointed at`, h("ol", { class: "list" }, [row, ...row.history].map((entry, index) => h("li", { class: "card" },
    h("div", { class: "actions" }, index === 0 ? badge("enabled", "now") : badge("before"), h("span", {}, "since ", exactly(entry.createdAt))),
    facts(["Digest", entry.digest && h("code", {}, entry.digest)], ["Commit", entry.commit && h("code", {}, entry.commit)], ["Channel", entry.channel])))));
}

/** @param {string} key */
async function one(key) {
  const found = await api.get(`/components/${key}`);
  const channels = /** @type {Set<string>} */ (new Set());
  const versions = h("div", { class: "list" });
  /** @param {string} [channel] */
  const load = async (channel) => {
    const list = await paged(async (more) => {
      const page = await api.page(`/components/${key}/versions`, { channel, pageSize: 50, ...more });
      for (const row of page.data) channels.add(row.channel);
      return page;
    }, versionTable, h("p", { class: "muted" }, "No version yet: it comes with the first push."));
    /** @param {string} [name] */
    const choose = (name) => h("button", { type: "button", class: "small", "aria-pressed": (name ?? "") === (channel ?? ""), onclick: () => load(name) }, name ?? "all channels");
    show(versions, channels.size > 1 && h("div", { class: "actions", role: "group", "aria-label": "Channel" }, choose(undefined), [...channels].sort().map(choose)), list);
  };
  await load(undefined);
  const triggers = h("div", { class: "list" });
  const drawTriggers = async () => {
    const all = await api.all(`/components/${key}/triggers`);
    redraw(triggers, all.length ? table("Triggers", [
      ["Name", (row) => h("strong", {}, row.name)],
      ["When", (row) => row.on],
      ["Which", (row) => [row.versionRange ?? row.tagPattern ?? "every tag", row.channels.length > 0 && ` in ${row.channels.join(", ")}`], "wrap"],
      ["State", (row) => badge(row.enabled ? "enabled" : "disabled")],
      ["Actions", (row) => api.may("admin") && h("span", { class: "actions" },
        button("Edit", () => triggerForm(key, row, drawTriggers), { class: "small", "aria-label": `Edit ${row.name}` }),
        button("Delete", () => confirm("Delete the trigger?", `${row.name} makes no more releases.`, "Delete", async () => { await api.remove(`/components/${key}/triggers/${row.id}`); await drawTriggers(); }), { class: "small", "aria-label": `Delete ${row.name}` })), "right"],
    ], all) : h("p", { class: "muted" }, "Without a trigger, pushes are noted and nothing is released."),
      api.may("admin") && h("div", {}, button("New trigger", () => triggerForm(key, null, drawTriggers))));
  };
  await drawTriggers();
  const releases = (await api.page("/releases", { pageSize: 100 })).data.filter((release) => release.components.some(({ id }) => id === key));
  return h("div", {},
    heading(found.name, api.may("admin") && [
      h("a", { class: "button", href: `#/components/${key}/edit` }, "Edit"),
      button("Delete", () => confirm("Delete the component?", `${found.name}, its version map and its triggers go. Its releases stay.`, "Delete", async () => { await api.remove(`/components/${key}`); go("#/components"); }), { class: "danger" })]),
    section("Component", facts(["Repositories", found.repositories.join(", ")], ["Source repositories", found.sourceRepositories.join(", ")], ["Channel rules", found.channelRules.map(({ pattern, channel }) => `${pattern} → ${channel}`).join(", ")], ["Id", id(found.id)])),
    section("Versions", versions),
    section("Triggers", triggers),
    section("Releases", releases.length
      ? table("Releases", [["Name", (row) => h("strong", {}, row.name)], ["Tag", (row) => row.components.find(({ id }) => id === key)?.tag ?? "–"], ["By", (row) => row.trigger?.name ?? "–"], ["Made", (row) => time(row.createdAt), "right"]], releases)
      : h("p", { class: "muted" }, "None of the last 100 releases is of this component.")));
}

/** @param {string[]} parts */
export const render = (parts) =>
  parts[0] === "new" ? create() : parts[1] === "edit" ? edit(parts[0]) : parts.length ? one(parts[0]) : list();
