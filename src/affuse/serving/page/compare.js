// Two recordings beside each other: players, curves on one axis of time, and numbers.

import { readJob, readLink, readSegments, readView } from "./api.js";
import { curvesLayer } from "./curves.js";
import { button, h, newId, show } from "./dom.js";
import { clock, value } from "./format.js";
import { nameOf } from "./library.js";
import { shortAt } from "./now.js";
import { overlayOf } from "./overlay.js";
import { Player } from "./player.js";
import { framesLayer, qualityLayers } from "./strips.js";
import { Timeline } from "./timeline.js";

/** Show two jobs that are done. */
export async function compareView(signal, first, second) {
  const [one, other] = await Promise.all([first, second].map(load));
  if (signal.aborted) return;
  const longest = Math.max(one.view.duration, other.view.duration);
  const numbers = h("div", {});
  const sides = [one, other].map((side, k) => sideOf(side, "AB"[k], longest, signal, () => numbers.replaceChildren(...numbersOf(sides, longest))));
  const both = button("Play both from the beginning", () => {
    for (const { player } of sides) {
      player.seek(0);
      if (player.playable) player.play();
    }
  }, { class: "strong" });
  const stop = button("Pause both", () => sides.forEach(({ player }) => { if (player.playing) player.toggle(); }));
  show(`${one.name} and ${other.name}`,
    h("h1", {}, "Two recordings compared"),
    h("p", { class: "buttons" }, both, stop),
    h("div", { class: "sides" }, sides.map((side) => side.element)), numbers);
  sides.forEach((side) => side.choose(0));
}

async function load(id) {
  const job = await readJob(id);
  if (job.state !== "done") throw new Error(`${nameOf(id)} is not done: ${job.error ?? job.state}`);
  const [view, link, segments] = await Promise.all([readView(id), readLink(id), readSegments(id)]);
  return { id, name: nameOf(id), view, link, segments: segments.segments };
}

/** One of the two: its element, player and person. */
function sideOf({ id, name, view, link, segments }, letter, longest, signal, chosen) {
  const player = new Player({ url: link.url, duration: view.duration, tracks: view.tracks, frames: view.people[0].frames }, signal);
  const timeline = new Timeline(player, signal);
  timeline.range = { from: 0, to: longest };
  timeline.bar.hidden = true;
  timeline.rows.addEventListener("pointerdown", (event) => {
    if (event.target.closest(".lane") && !event.target.closest(".frame")) player.seek(timeline.timeAt(event.clientX));
  });
  const words = h("p", { class: "now-title" }), headline = h("p", { class: "headline" });
  const title = newId("side");
  const people = h("select", { "aria-label": `Person in recording ${letter}`, onchange: () => choose(people.selectedIndex) }, view.people.map((_, k) => h("option", {}, `Person ${k + 1}`)));
  const element = h("section", { class: "side", "aria-labelledby": title },
    h("h2", { id: title }, `${letter}: `, h("a", { href: `#/job/${id}` }, name)),
    view.people.length > 1 ? people : "", headline, player.element, h("p", { class: "controls" }, player.button, player.clock), words, timeline.element);
  const side = { letter, name, view, player, element, segments, choose, person: view.people[0] };
  function choose(k) {
    side.person = view.people[k];
    headline.textContent = side.person.headline;
    player.showFrames(side.person.frames);
    const frames = side.person.frames.length ? [framesLayer(side.person, player)] : [];
    timeline.show([...frames, curvesLayer(side.person, new Set()), ...qualityLayers(side.person, view.duration)]);
    chosen();
  }
  player.addEventListener("time", () => { words.textContent = `${clock(player.time)}: ${shortAt(side.person, player.time)}`; });
  return side;
}

function numbersOf(sides, longest) {
  const [a, b] = sides.map((side) => side.person);
  if (a.kind !== b.kind) return [h("p", {}, "One of them has emotions and the other continuous values: their curves cannot be laid over one another.")];
  const names = a.names.filter((name) => b.names.includes(name));
  const mean = (person, name) => {
    const k = person.names.indexOf(name);
    return person.kind === "classes" ? person.overall?.[k] : person.facts[k]?.[0];
  };
  const means = names.map((name) => [name, mean(a, name), mean(b, name)]);
  const shares = a.kind === "classes" ? sharesOf(sides) : [];
  const title = newId("over"), table = newId("means");
  return [
    h("section", { "aria-labelledby": title }, h("h2", { id: title }, "Over one another"), overlayOf(sides, names, longest)),
    h("section", { "aria-labelledby": table }, h("h2", { id: table }, "In numbers"),
      h("div", { class: "tables" },
        tableOf(a.kind === "classes" ? "Mean probability" : "Mean", means, (x) => value(x, a.kind), (x) => value(x, "values")),
        shares.length ? tableOf("Share of the time, by the segments as corrected", shares, (x) => `${(100 * x).toFixed(0)} %`, (x) => `${x < 0 ? "-" : "+"}${Math.abs(100 * x).toFixed(0)} points`) : null),
      h("p", { class: "quiet" }, "One recording of each is no experiment: such differences also come from light, camera, words and chance.")),
  ];
}

/** Label -> share of the recording in A and in B. */
function sharesOf(sides) {
  const shares = sides.map((side) => {
    const found = new Map();
    for (const one of side.segments) {
      if (one.signal === "emotion" && one.person === side.person.name) found.set(one.label, (found.get(one.label) ?? 0) + (one.end - one.start) / side.view.duration);
    }
    return found;
  });
  return [...new Set(shares.flatMap((found) => [...found.keys()]))].map((label) => [label, ...shares.map((found) => found.get(label) ?? 0)])
    .sort((one, other) => Math.max(...other.slice(1)) - Math.max(...one.slice(1)));
}

function tableOf(caption, rows, written, difference) {
  const cell = (x, words) => h("td", {}, x === undefined || Number.isNaN(x) ? "not known" : words(x));
  return h("table", {}, h("caption", {}, caption),
    h("thead", {}, h("tr", {}, h("td", {}), ["A", "B", "B less A"].map((one) => h("th", { scope: "col" }, one)))),
    h("tbody", {}, rows.map(([name, x, y]) => h("tr", {}, h("th", { scope: "row" }, name), cell(x, written), cell(y, written), cell(y - x, difference)))));
}
