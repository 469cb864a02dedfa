// The curves as a table, for who cannot see them.

import { h } from "./dom.js";
import { clock, value } from "./format.js";

/** Rows of a table at most. */
const MOST = 600;

/** A table that is made when it is opened. */
export function tableOf(person) {
  const body = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Values as a table" });
  const details = h("details", {}, h("summary", {}, "Values as a table"), body);
  details.addEventListener("toggle", () => {
    if (details.open && !body.firstChild) body.append(filled(person));
  });
  return details;
}

function filled(person) {
  const step = Math.max(1, Math.ceil(person.times.length / MOST));
  const said = person.kind === "classes";
  const head = ["time", ...(said ? ["emotion"] : []), ...person.names, "low quality"];
  const rows = [];
  for (let k = 0; k < person.times.length; k += step) {
    const time = person.times[k], numbers = person.rows[k];
    const low = person.low.find((one) => one.start <= time && time <= one.end)?.why ?? "";
    const cells = person.names.map((_, j) => (numbers ? value(numbers[j], person.kind) : ""));
    rows.push(h("tr", {}, h("th", { scope: "row" }, clock(time, 2)), [...(said ? [person.said[k] ?? ""] : []), ...cells, low].map((cell) => h("td", {}, cell))));
  }
  return h("table", {},
    h("caption", {}, step > 1 ? `Every ${step}th value; all of them are in the CSV below.` : "Every value."),
    h("thead", {}, h("tr", {}, head.map((cell) => h("th", { scope: "col" }, cell)))), h("tbody", {}, rows));
}
