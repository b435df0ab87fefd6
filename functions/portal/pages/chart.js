// Charts: hourly bars, and sparklines.

import { h, s, show } from "./dom.js";
import { counted, number } from "./ui.js";

const WIDTH = 720;
const HEIGHT = 150;

/** @param {string} moment */
const hourOf = (moment) => new Date(moment).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

/**
 * Stacked bars of hours. `kinds`: `[name, tone]` in the order they are stacked; `count(hour, name)`.
 * @template {{ hour: string }} Hour
 * @template {string} Kind
 * @param {string} label
 * @param {Hour[]} hours
 * @param {(readonly [name: Kind, tone: string])[]} kinds
 * @param {(hour: Hour, name: Kind) => number} count
 */
export function bars(label, hours, kinds, count) {
  const sums = hours.map((hour) => kinds.reduce((sum, [name]) => sum + count(hour, name), 0));
  const peak = Math.max(1, ...sums);
  const step = WIDTH / hours.length;
  const legend = h("p", { class: "legend", "aria-live": "polite" });
  /** @param {Kind} name */
  const sum = (name) => hours.reduce((sum, hour) => sum + count(hour, name), 0);
  // Kinds without a count are left out of the legend, except the first.
  const seen = kinds.filter(([name], index) => index === 0 || sum(name) > 0);
  /** @param {(name: Kind) => number} of */
  const keys = (of) => seen.map(([name, tone]) => h("span", { class: `key ${tone}` }, name, " ", number(of(name))));
  /** @param {Hour} hour */
  const showHour = (hour) => show(legend, h("strong", {}, hourOf(hour.hour)), keys((name) => count(hour, name)));
  const showDay = () => show(legend, h("strong", {}, "24 hours"), keys(sum));
  /**
   * @param {Hour} hour
   * @param {number} index
   */
  const group = (hour, index) => {
    let top = HEIGHT;
    const parts = kinds.map(([name, tone]) => {
      const height = (count(hour, name) / peak) * (HEIGHT - 8);
      top -= height;
      return height > 0 && s("rect", { class: tone, x: index * step + 1.5, y: top, width: step - 3, height, rx: 1.5 });
    });
    return s("g", { onmouseenter: () => showHour(hour), onmouseleave: showDay },
      s("rect", { class: "hit", x: index * step, y: 0, width: step, height: HEIGHT }), parts);
  };
  showDay();
  let selected = -1;
  /** @param {KeyboardEvent} event */
  const move = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    selected = Math.min(hours.length - 1, Math.max(0, (selected < 0 ? hours.length : selected) + by));
    showHour(hours[selected]);
  };
  return h("figure",
    {
      class: "chart", tabindex: 0, role: "group", "aria-label": `${label}; use the arrow keys to read each hour`,
      onkeydown: move, onblur: () => { selected = -1; showDay(); },
    },
    h("figcaption", {}, label),
    legend,
    s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": true },
      s("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }), hours.map(group)),
    h("div", { class: "axis" },
      h("span", {}, hourOf(hours[0].hour)), h("span", {}, `Peak: ${number(peak)} per hour`), h("span", {}, "now")));
}

/**
 * A day of attempts at the height of a text line, with failures on top.
 * @param {Api.SubscriptionHealth["hours"]} hours
 */
export function sparkline(hours) {
  const start = Math.floor(Date.now() / 3600000) - 23;
  const peak = Math.max(1, ...hours.map((hour) => hour.attempts));
  /** @param {Api.SubscriptionHealth["hours"][number]} hour */
  const bar = (hour) => {
    const x = (Math.floor(Date.parse(hour.hour) / 3600000) - start) * 5;
    const all = Math.max(2, (hour.attempts / peak) * 24);
    const bad = ((hour.attempts - hour.successes) / hour.attempts) * all;
    return [
      s("rect", { class: "good", x, y: 24 - all + bad, width: 4, height: all - bad }),
      bad > 0 && s("rect", { class: "bad", x, y: 24 - all, width: 4, height: bad }),
    ];
  };
  const attempts = hours.reduce((sum, hour) => sum + hour.attempts, 0);
  const label = `${counted(attempts, "attempt", "attempts")} in the last 24 hours`;
  return s("svg", { class: "sparkline", viewBox: "0 0 120 24", preserveAspectRatio: "none", role: "img", "aria-label": label },
    s("title", {}, label), s("line", { class: "axis", x1: 0, x2: 120, y1: 23.5, y2: 23.5 }), hours.map(bar));
}
