// What the model says about the moment at which the player is.

import { nearest } from "./curves.js";
import { h } from "./dom.js";
import { clock, value } from "./format.js";
import { planeOf } from "./plane.js";

/** The panel beside the player: its element, and `tell(time)`. */
export function nowPanel(person) {
  const title = h("p", { class: "now-title" });
  const bars = person.names.map((name, k) => {
    const fill = h("i", { style: { "--colour": person.colours[k] } });
    const number = h("span", { class: "number" });
    return { fill, number, row: h("div", { class: `amount ${person.kind}` }, h("span", {}, name), h("b", {}, fill), number) };
  });
  const more = h("p", { class: "quiet more" });
  const plane = person.kind === "values" ? planeOf(person) : null;
  const element = h("div", { class: "now" }, title, h("div", { class: plane ? "with-plane" : "" }, h("div", { class: "amounts" }, bars.map((one) => one.row)), plane?.element), more);

  function tell(time) {
    const row = nearest(person.times, time);
    const numbers = person.rows[row];
    title.replaceChildren(`${clock(time)}: `, h("b", {}, shortAt(person, time)));
    bars.forEach(({ fill, number }, k) => {
      const x = numbers ? numbers[k] : null;
      number.textContent = x === null ? "" : value(x, person.kind);
      const [left, wide] = x === null ? [0, 0] : person.kind === "classes" ? [0, x] : [0.5 + Math.min(0, x) / 2, Math.abs(x) / 2];
      fill.style.setProperty("left", `${100 * left}%`);
      fill.style.setProperty("width", `${100 * wide}%`);
    });
    plane?.tell(numbers);
    more.textContent = restsOn(person, row);
  }

  return { element, tell };
}

/** What stands out at a moment, in a few words. */
export function shortAt(person, time) {
  const row = nearest(person.times, time);
  const numbers = person.rows[row];
  if (person.kind === "classes") return person.said[row] ?? "nothing seen or heard";
  if (!numbers) return person.withheld.includes(row) ? "withheld" : "no face seen, or nothing known";
  return person.names.map((name, k) => `${name} ${value(numbers[k], "values")}`).join(", ");
}

/** A moment as a sentence for who hears it. */
export function sentenceAt(person, time) {
  const row = nearest(person.times, time);
  const numbers = person.rows[row];
  const parts = [`${clock(time)}: ${shortAt(person, time)}`];
  if (numbers && person.kind === "classes") {
    const order = numbers.map((x, k) => [x, person.names[k]]).sort((a, b) => b[0] - a[0]).slice(0, 3);
    parts.push(order.map(([x, name]) => `${name} ${x.toFixed(2)}`).join(", "));
  }
  const low = lowAt(person, time);
  if (low) parts.push(`low quality: ${low}`);
  return parts.join("; ");
}

function lowAt(person, time) {
  return person.low.find((one) => one.start <= time && time <= one.end)?.why;
}

/** What is not ruled out, between which values the truth is expected, and what was measured. */
function restsOn(person, row) {
  const parts = [];
  const left = person.sets?.[row];
  if (left) parts.push(`not ruled out: ${left.join(", ")}`);
  for (const [name, [lows, highs]] of Object.entries(person.bands ?? {})) {
    if (lows[row] !== null) parts.push(`${name} expected from ${value(lows[row], "values")} to ${value(highs[row], "values")}`);
  }
  const low = lowAt(person, person.times[row]);
  if (low) parts.push(`low quality: ${low}`);
  const measured = (person.quality[row] ?? []).map((x, k) => (x === null ? null : `${person.measures[k][0]} ${x}${person.measures[k][1]}`)).filter(Boolean);
  if (measured.length) parts.push(measured.join(", "));
  return parts.join("; ");
}
