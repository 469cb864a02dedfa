// Curves over time, drawn for the part that is shown.

import { h, s } from "./dom.js";

const WIDTH = 1000, HEIGHT = 240;
/** Points of a curve beyond which further ones cannot be seen. */
const POINTS = 1600;

/** Index of the row whose time is nearest. */
export function nearest(times, time) {
  let low = 0, high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < time) low = middle + 1;
    else high = middle;
  }
  return low > 0 && time - times[low - 1] < times[low] - time ? low - 1 : low;
}

/** A layer with the curves of a person; `hidden` names those that are switched off. */
export function curvesLayer(person, hidden) {
  const drawing = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const [low, high] = person.range;
  const levels = low < 0 ? [1, 0.5, 0, -0.5, -1] : [1, 0.75, 0.5, 0.25, 0];
  const y = (value) => HEIGHT * (high - value) / (high - low);
  const element = h("div", { class: "curves" }, drawing,
    levels.map((level) => h("span", { class: "level", "aria-hidden": "true", style: { top: `${100 * y(level) / HEIGHT}%` } }, String(level))));

  function draw(range) {
    const x = (time) => WIDTH * (time - range.from) / (range.to - range.from);
    const parts = [];
    for (const [start, end] of person.gaps) parts.push(s("rect", { class: "gap", x: x(start), width: Math.max(0, x(end) - x(start)), y: 0, height: HEIGHT }));
    for (const level of levels) parts.push(s("line", { class: level === 0 && low < 0 ? "zero" : "grid", x1: 0, x2: WIDTH, y1: y(level), y2: y(level) }));
    const stretches = stretchesOf(person, range);
    person.names.forEach((name, k) => {
      if (hidden.has(name)) return;
      const group = s("g", { class: "curve", style: { "--colour": person.colours[k] } });
      const band = person.bands?.[name];
      for (const rows of stretches) {
        if (band) group.append(...bandOf(rows.filter((r) => band[0][r] !== null), band, person.times, x, y));
        const points = rows.map((r) => `${x(person.times[r]).toFixed(1)},${y(person.rows[r][k]).toFixed(1)}`);
        group.append(rows.length > 1 ? s("polyline", { points: points.join(" ") }) : s("polyline", { class: "dot", points: `${points[0]} ${points[0]}` }));
      }
      for (const [start, end, row] of person.edges ?? []) {
        const height = y(person.rows[row][k]).toFixed(1);
        group.append(s("polyline", { class: "edge", points: `${x(start).toFixed(1)},${height} ${x(end).toFixed(1)},${height}` }));
      }
      parts.push(group);
    });
    drawing.replaceChildren(...parts);
  }

  return { kind: "chart", label: low < 0 ? "value" : "probability", element, draw };
}

/** Lists of rows that are known and follow each other, thinned out to what can be seen. */
function stretchesOf(person, range) {
  const first = Math.max(0, nearest(person.times, range.from) - 1);
  const last = Math.min(person.times.length - 1, nearest(person.times, range.to) + 1);
  const step = Math.max(1, Math.ceil((last - first) / POINTS));
  const found = [];
  let here = null;
  for (let row = first; row <= last; row += 1) {
    if (person.rows[row] === null) {
      here = null;
      continue;
    }
    if (here === null) found.push(here = []);
    const ends = row === last || person.rows[row + 1] === null || here.length === 0;
    if (ends || row % step === 0) here.push(row);
  }
  return found;
}

function bandOf(rows, [lows, highs], times, x, y) {
  if (rows.length < 2) return [];
  const along = (values) => (r) => `${x(times[r]).toFixed(1)},${y(values[r]).toFixed(1)}`;
  return [s("polygon", { class: "band", points: [...rows.map(along(highs)), ...rows.toReversed().map(along(lows))].join(" ") })];
}
