// Components: their versions by channel, their triggers, and their releases.

import * as api from "./api.js";
import { h, show } from "./dom.js";
import { choice, eventFilters, form, lines, part, rows, text, toggle } from "./form.js";
import {
  badge, button, confirm, counted, empty, exactTime, facts, heading, id, link, modal, navigate, notice, number, paged, redraw, section,
  table, time,
} from "./ui.js";

/** @type {[Api.Trigger["on"], string][]} */
const ON = [
  ["artifact.pushed", "An artifact is pushed"], ["git.tag", "A Git tag is created"],
  ["release", "A release is published on the code host"], ["ci.finished", "A CI pipeline finishes"],
];

async function list() {
  /** @param {Api.Component[]} all */
  const rows = (all) => table("Components", [
    ["Name", (row) => link(`#/components/${row.id}`, row.name)],
    ["Repositories", (row) => row.repositories.join(", "), "wrap"],
    ["Source repositories", (row) => row.sourceRepositories.join(", ") || "–", "wrap"],
    ["Created", (row) => time(row.createdAt), "right"],
  ], all);
  const none = empty("No components yet", "A component is something you release, with the repositories of its artifacts and of its source.",
    api.hasRole("admin") && link("#/components/new", "Create the first one"));
  return h("div", {},
    heading("Components", api.hasRole("admin") && h("a", { class: "button primary", href: "#/components/new" }, "New component")),
    await paged((more) => api.page("/components", { pageSize: 50, ...more }), rows, none));
}

/** @type {(placeholder: string) => (value?: string) => HTMLElement} */
const ruleInput = (placeholder) => (value) => h("input", { type: "text", value: value ?? "", placeholder });

/**
 * @param {Api.Component | null} found
 * @param {(values: Values) => unknown} submit
 */
function componentForm(found, submit) {
  const controls = [
    text({
      name: "name", label: "Name", required: true, value: found?.name, placeholder: "myapp", help: "Part of the names of its releases.",
    }),
    lines({
      name: "repositories", label: "Repositories", value: found?.repositories, placeholder: "ghcr.io/myorg/myapp",
      help: "The repositories of its artifacts, one per line. With a host, only that host matches.",
    }),
    lines({
      name: "sourceRepositories", label: "Source repositories", value: found?.sourceRepositories, placeholder: "myorg/myapp",
      help: "The repositories of its source, one per line. Events of CI systems and code hosts name these.",
    }),
    lines({
      name: "tagPrefixes", label: "Tag prefixes", rows: 2, value: found?.tagPrefixes, placeholder: "api/",
      help: "For a repository that several components share, one per line: only tags that begin with one belong to this component. Default: all tags.",
    }),
    rows({
      name: "channelRules", label: "Channel rules", add: "Add rule", value: found?.channelRules,
      help: "The first pattern that matches a tag sets its channel. Default: from the version (stable, rc, beta, …), else edge.",
      columns: [["pattern", "Pattern", ruleInput("^nightly-")], ["channel", "Channel", ruleInput("nightly")]],
    }),
  ];
  return form(found ? "Save" : "Create", controls, submit, link(found ? `#/components/${found.id}` : "#/components", "Cancel"));
}

const create = () => h("div", {}, heading("New component"), h("div", { class: "card" }, componentForm(null, async (values) => {
  const created = await api.post("/components", values);
  notice("Created");
  navigate(`#/components/${created.id}`);
})));

/** @param {string} key */
async function edit(key) {
  const found = await api.get(`/components/${key}`);
  return h("div", {}, heading(found.name), h("div", { class: "card" }, componentForm(found, async (values) => {
    await api.patch(`/components/${key}`, values);
    navigate(`#/components/${key}`);
  })));
}

/**
 * @param {string} component
 * @param {Api.Trigger | null} found
 * @param {() => unknown} done
 */
function triggerForm(component, found, done) {
  const controls = [
    text({ name: "name", label: "Name", required: true, value: found?.name, placeholder: "every release" }),
    choice({ name: "on", label: "When", value: found?.on ?? "artifact.pushed", choices: ON }),
    text({
      name: "versionRange", label: "Version range", value: found ? found.versionRange : "*", placeholder: "^1.2",
      help: "Versions, for example ^1.2 or >=1, <2; * matches all but pre-releases. If empty, every tag matches.",
    }),
    text({
      name: "tagPattern", label: "Tag pattern", value: found?.tagPattern, placeholder: "^v\\d+\\.\\d+\\.\\d+$",
      help: "A regular expression for the tag, instead of a version range.",
    }),
    part("More", Boolean(found),
      lines({
        name: "channels", label: "Channels", rows: 2, value: found?.channels, placeholder: "stable",
        help: "One per line. Default: all channels.",
      }),
      eventFilters(found?.filters, "$.branch"),
      lines({
        name: "pipelines", label: "Pipelines", rows: 2, value: found?.pipelines, placeholder: "release",
        help: "For finished pipelines: their names, one per line. Default: all pipelines.",
      }),
      toggle({
        name: "pullRequests", label: "Pipelines of pull requests", value: found?.pullRequests,
        help: "Anyone who can open a pull request then decides what is released.",
      }),
      toggle({ name: "forks", label: "Pipelines of pull requests from forks", value: found?.forks }),
      text({
        name: "releaseName", label: "Release name", value: found?.releaseName ?? "{component}-{tag}",
        help: "Variables: {component}, {tag}, {channel}, {commit}, {digest}, {date}.",
      }),
      toggle({ name: "requireDigest", label: "Require a valid digest", value: found?.requireDigest }),
      toggle({ name: "enabled", label: "Enabled", value: found?.enabled ?? true })),
  ];
  /** @param {Values} values */
  const submit = async (values) => {
    if (found) await api.put(`/components/${component}/triggers/${found.id}`, values);
    else await api.post(`/components/${component}/triggers`, values);
    dialog.close();
    await done();
  };
  const dialog = modal(found ? found.name : "New trigger", form(found ? "Save" : "Create", controls, submit));
}

/** @param {Api.Version[]} rows */
function versionTable(rows) {
  /** @param {Api.Version} row */
  const previous = (row) => {
    const count = number(row.history.length + (row.historyDropped ?? 0));
    return button(`${count} previous`, () => showHistory(row), { class: "small" });
  };
  /** @param {Api.Version} row */
  const retagged = (row) => badge("retag", `Retagged ${counted(row.retags, "time", "times")}`);
  return table("Versions", [
    ["Tag", (row) => [h("strong", {}, row.tag), row.retags > 0 && [" ", retagged(row)], row.deletedAt && [" ", badge("deleted")]]],
    ["Channel", (row) => badge(row.channel)],
    ["Digest or commit", (row) => (row.digest || row.commit ? id(row.digest ?? row.commit ?? "") : "–"), "cut"],
    ["Updated", (row) => time(row.createdAt)],
    ["Previous", (row) => (row.history.length ? previous(row) : "–"), "right"],
  ], rows);
}

/** @param {Api.Version} row */
function showHistory(row) {
  /**
   * @param {Api.Version | Api.Version["history"][number]} entry
   * @param {number} index
   */
  const entryView = (entry, index) => h("li", { class: "card" },
    h("div", { class: "actions" }, badge(index > 0 ? "older" : entry.deletedAt ? "deleted" : "current"),
      h("span", {}, "received ", exactTime(entry.createdAt))),
    facts(["Digest", entry.digest && h("code", {}, entry.digest)], ["Commit", entry.commit && h("code", {}, entry.commit)],
      ["Channel", entry.channel], ["Pushed", entry.pushedAt && exactTime(entry.pushedAt)],
      ["Deleted", entry.deletedAt && exactTime(entry.deletedAt)]));
  modal(`History of ${row.tag}`, h("ol", { class: "list" }, [row, ...row.history].map(entryView)));
}

/**
 * The versions of a component, with buttons for its channels.
 * @param {string} key
 */
async function versionList(key) {
  const channels = /** @type {Set<string>} */ (new Set());
  const versions = h("div", { class: "list" });
  /** @param {string} [channel] */
  const load = async (channel) => {
    const list = await paged(async (more) => {
      const page = await api.page(`/components/${key}/versions`, { channel, pageSize: 50, ...more });
      for (const row of page.data) channels.add(row.channel);
      return page;
    }, versionTable, h("p", { class: "muted" }, "No versions yet"));
    /** @param {string} [name] */
    const choose = (name) => h("button", {
      type: "button", class: "small", "aria-pressed": (name ?? "") === (channel ?? ""), onclick: () => load(name),
    }, name ?? "All channels");
    const group = { class: "actions", role: "group", "aria-label": "Channel" };
    show(versions, channels.size > 1 && h("div", group, choose(undefined), [...channels].sort().map(choose)), list);
  };
  await load(undefined);
  return versions;
}

/**
 * The triggers of a component, with their actions.
 * @param {string} key
 */
async function triggerList(key) {
  const triggers = h("div", { class: "list" });
  /** @param {Api.Trigger} row */
  const remove = (row) => confirm("Delete the trigger?", `${row.name} creates no more releases.`, "Delete", async () => {
    await api.remove(`/components/${key}/triggers/${row.id}`);
    await draw();
  });
  /** @param {Api.Trigger} row */
  const actions = (row) => api.hasRole("admin") && h("span", { class: "actions" },
    button("Edit", () => triggerForm(key, row, draw), { class: "small", "aria-label": `Edit ${row.name}` }),
    button("Delete", () => remove(row), { class: "small", "aria-label": `Delete ${row.name}` }));
  /** @param {Api.Trigger} row */
  const selection = (row) =>
    [row.versionRange ?? row.tagPattern ?? "All tags", row.channels.length > 0 && ` in ${row.channels.join(", ")}`];
  const draw = async () => {
    const all = await api.all(`/components/${key}/triggers`);
    redraw(triggers, all.length ? table("Triggers", [
      ["Name", (row) => h("strong", {}, row.name)],
      ["When", (row) => row.on],
      ["Versions", selection, "wrap"],
      ["Status", (row) => badge(row.enabled ? "enabled" : "disabled")],
      ["Actions", actions, "right"],
    ], all) : h("p", { class: "muted" }, "No triggers yet: versions are recorded, and nothing is released."),
      api.hasRole("admin") && h("div", {}, button("New trigger", () => triggerForm(key, null, draw))));
  };
  await draw();
  return triggers;
}

/**
 * @param {string} key
 * @param {Api.Release[]} releases
 */
function releaseTable(key, releases) {
  return table("Releases", [
    ["Name", (row) => h("strong", {}, row.name)],
    ["Tag", (row) => row.components.find(({ id }) => id === key)?.tag ?? "–"],
    ["Trigger", (row) => row.trigger?.name ?? "–"],
    ["Created", (row) => time(row.createdAt), "right"],
  ], releases);
}

/** @param {string} key */
async function one(key) {
  const found = await api.get(`/components/${key}`);
  const versions = await versionList(key);
  const triggers = await triggerList(key);
  const all = (await api.page("/releases", { pageSize: 100 })).data;
  const releases = all.filter((release) => release.components.some(({ id }) => id === key));
  const remove = async () => {
    await api.remove(`/components/${key}`);
    navigate("#/components");
  };
  const consequences = `The version map and the triggers of ${found.name} are deleted too. Its releases are kept.`;
  const confirmRemoval = () => confirm("Delete the component?", consequences, "Delete", remove);
  return h("div", {},
    heading(found.name, api.hasRole("admin") && [
      h("a", { class: "button", href: `#/components/${key}/edit` }, "Edit"),
      button("Delete", confirmRemoval, { class: "danger" })]),
    section("Component", facts(
      ["Repositories", found.repositories.join(", ")],
      ["Source repositories", found.sourceRepositories.join(", ")],
      ["Tag prefixes", found.tagPrefixes.join(", ")],
      ["Channel rules", found.channelRules.map(({ pattern, channel }) => `${pattern} → ${channel}`).join(", ")],
      ["ID", id(found.id)])),
    section("Versions", versions),
    section("Triggers", triggers),
    section("Releases", releases.length
      ? releaseTable(key, releases)
      : h("p", { class: "muted" }, "No releases of this component among the last 100")));
}

/** @param {string[]} parts */
export const render = (parts) =>
  parts[0] === "new" ? create() : parts[1] === "edit" ? edit(parts[0]) : parts.length ? one(parts[0]) : list();
