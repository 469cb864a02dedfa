// One curve of each of two recordings, over one another.

import { h, newId, s } from "./dom.js";
import { clock } from "./format.js";

const WIDTH = 1000, HEIGHT = 240, POINTS = 1200;

/** A chart of one output of two people; which one, the reader chooses. */
export function overlayOf(sides, names, longest) {
  const drawing = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  const largest = (name) => Math.max(...sides.map(({ person }) => person.overall?.[person.names.indexOf(name)] ?? 0));
  const field = h("select", { id: newId("output"), onchange: () => draw() }, names.map((name) => h("option", { value: name }, name)));
  if (names.length) field.value = names.reduce((best, name) => (largest(name) > largest(best) ? name : best));

  function draw() {
    const [low, high] = sides[0].person.range;
    const y = (x) => HEIGHT * (high - x) / (high - low);
    const lines = sides.map(({ person, letter }) => {
      const k = person.names.indexOf(field.value), step = Math.max(1, Math.ceil(person.times.length / POINTS));
      const group = s("g", { class: `line-${letter}` });
      let points = [];
      const flush = () => {
        if (points.length) group.append(s("polyline", { class: points.length > 1 ? "" : "dot", points: (points.length > 1 ? points : [points[0], points[0]]).join(" ") }));
        points = [];
      };
      person.rows.forEach((row, r) => {
        if (row === null) flush();
        else if (r % step === 0 || r === person.rows.length - 1) points.push(`${(WIDTH * person.times[r] / longest).toFixed(1)},${y(row[k]).toFixed(1)}`);
      });
      flush();
      return group;
    });
    const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => s("line", { class: "grid", x1: 0, x2: WIDTH, y1: HEIGHT * share, y2: HEIGHT * share }));
    drawing.setAttribute("aria-label", `${field.value} in A and in B over time, from ${low} to ${high}; the numbers are below`);
    drawing.replaceChildren(...grid, ...lines);
  }

  function levels() {
    const [low, high] = sides[0].person.range;
    return [0, 0.5, 1].map((share) => h("span", { class: "level", "aria-hidden": "true", style: { top: `${100 * share}%` } }, String(high - share * (high - low))));
  }

  draw();
  return h("div", {}, h("p", { class: "field inline" }, h("label", { for: field.id }, "Curve of"), field),
    h("div", { class: "overlay" }, h("div", { class: "drawing" }, drawing, ...levels()), h("div", { class: "ends" }, h("span", {}, "0 s"), h("span", {}, clock(longest)))),
    h("p", { class: "key" }, sides.map(({ letter, name }) => h("span", {}, h("i", { class: `mark-${letter}` }), `${letter}: ${name} `))));
}
