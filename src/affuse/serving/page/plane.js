// The plane of valence (to the right) and arousal (upwards).

import { s } from "./dom.js";

/** A drawing of the way through the plane, and `tell(row)`; null where the model does not tell both. */
export function planeOf(person) {
  const [v, a] = ["valence", "arousal"].map((name) => person.names.indexOf(name));
  if (v < 0 || a < 0) return null;
  const step = Math.max(1, Math.ceil(person.rows.length / 800));
  const way = [];
  let here = null;
  person.rows.forEach((row, k) => {
    if (row === null) here = null;
    else if (k % step === 0) {
      if (here === null) way.push(here = []);
      here.push(`${row[v]},${-row[a]}`);
    }
  });
  const dot = s("circle", { class: "dot", r: 0.06 });
  const element = s("svg", { class: "plane", viewBox: "-2.1 -1.25 4.2 2.5", role: "img", "aria-label": "Way through the plane of valence, to the right, and arousal, upwards" },
    s("circle", { class: "grid", r: 1 }), s("line", { class: "grid", x1: -1, x2: 1 }), s("line", { class: "grid", y1: -1, y2: 1 }),
    person.words.map(([word, x, y]) => s("text", { x: 1.08 * x, y: -1.08 * y + 0.04, "text-anchor": x > 0.3 ? "start" : x < -0.3 ? "end" : "middle" }, word)),
    way.map((points) => s("polyline", { points: points.join(" ") })), dot);
  function tell(row) {
    dot.setAttribute("visibility", row ? "visible" : "hidden");
    if (!row) return;
    dot.setAttribute("cx", row[v]);
    dot.setAttribute("cy", -row[a]);
  }
  return { element, tell };
}
