// What was found in a recording: player, curves, people, segments.

import { actionsOf } from "./actions.js";
import { curvesLayer } from "./curves.js";
import { button, h, newId, say, show } from "./dom.js";
import { downloads } from "./downloads.js";
import { Editing } from "./editing.js";
import { clock, value, when } from "./format.js";
import { listen } from "./keyboard.js";
import { nowPanel, sentenceAt, shortAt } from "./now.js";
import { segmentPanel } from "./panel.js";
import { placeOf } from "./place.js";
import { Player } from "./player.js";
import { NOT_SURE } from "./segments.js";
import { framesLayer, qualityLayers } from "./strips.js";
import { tableOf } from "./table.js";
import { tabsOf } from "./tabs.js";
import { Timeline } from "./timeline.js";
import { trackLayer } from "./track.js";

/** Show a job that is done. */
export function resultView(signal, { job, name, view, link, segments, remove }) {
  const player = new Player({ url: link.url, duration: view.duration, tracks: view.tracks, frames: view.people[0].frames }, signal);
  const timeline = new Timeline(player, signal);
  const editing = new Editing(job.id, segments, signal);
  const panel = h("div", { id: newId("person") });
  const place = placeOf(timeline, player);
  let actions = {};
  let now = null;

  function choosePerson(k) {
    const person = view.people[k];
    player.showFrames(person.frames);
    now = nowPanel(person);
    const signals = person.kind === "classes" ? ["emotion"] : person.names;
    const hidden = new Set();
    const labels = person.kind === "classes" ? [...new Set([...person.names, ...(view.vocabulary.emotion ?? []), NOT_SURE])] : null;
    const colours = new Map(person.names.map((one, j) => [one, person.colours[j]]));
    let form = null;
    actions = actionsOf({ editing, player, timeline, labels, focusLabel: () => form.focusLabel(), sentence: () => sentenceAt(person, player.time) });
    form = segmentPanel(editing, player, labels, actions, signals.length > 1 ? signalChoice(signals, editing) : null);
    const colourOf = (label) => colours.get(label) ?? (labels ? "var(--muted)" : colours.get(editing.signal));
    const frames = person.frames.length ? [framesLayer(person, player)] : [];
    const track = trackLayer(editing, player, timeline, colourOf);
    timeline.show([...frames, place.layer, curvesLayer(person, hidden), ...qualityLayers(person, view.duration), track]);
    place.describe(() => `${clock(player.time)}: ${shortAt(person, player.time)}`);
    editing.onchange = () => {
      track.draw(timeline.range);
      form.draw();
    };
    panel.replaceChildren(
      h("p", { class: "headline" }, person.headline),
      person.remarks.length ? h("ul", { class: "remarks" }, person.remarks.map((one) => h("li", {}, one))) : "",
      h("div", { class: "screen" }, h("div", {}, player.element, player.image ? "" : h("p", { class: "controls" }, player.button, player.clock)), now.element),
      player.image ? "" : h("section", { class: "over-time", "aria-label": "Over time" }, timeline.element, legend(person, hidden, timeline), explained(person)),
      form.element, downloads(job, name, editing), wholeOf(person), tableOf(person));
    editing.choose(person.name, signals[0], player.image ? 0 : -1);
    now.tell(player.time);
  }

  editing.addEventListener("change", () => editing.onchange?.());
  player.addEventListener("time", () => now?.tell(player.time));
  const several = view.people.length > 1;
  const tabs = several ? tabsOf(view.people.map((_, k) => `Person ${k + 1}`), "People in the recording", panel, choosePerson) : null;
  show(name,
    h("div", { class: "title" }, h("h1", {}, name), button("Delete", remove, { "aria-label": `Delete ${name}` })),
    h("p", { class: "quiet" }, `${clock(view.duration)}, model ${job.model}. The server keeps it until ${when(new Date(1000 * link.kept_until))}: save what you need before.`),
    tabs?.element ?? "", panel);
  if (tabs) tabs.select(0);
  else choosePerson(0);
  listen(new Proxy({}, { get: (_, word) => actions[word] }), signal);
}

/** A button per curve, which shows it or not. */
function legend(person, hidden, timeline) {
  return h("div", { class: "legend", role: "group", "aria-label": "Curves that are shown" }, person.names.map((name, k) => {
    const one = button([h("i", { style: { "--colour": person.colours[k] } }), name], () => {
      if (!hidden.delete(name)) hidden.add(name);
      one.setAttribute("aria-pressed", String(!hidden.has(name)));
      timeline.draw();
    }, { "aria-pressed": "true" });
    return one;
  }));
}

/** What lines and areas mean that are no curve of a name. */
function explained(person) {
  const parts = [];
  if (person.gaps.length) parts.push("Grey: withheld, or nothing was seen or heard.");
  if (person.edges?.length) parts.push("Dotted: the beginning and the end, of which the first and the last value speak.");
  if (Object.keys(person.bands ?? {}).length) parts.push("Areas: where raters are expected to be, of people whom the model does not know.");
  return parts.length ? h("p", { class: "quiet" }, parts.join(" ")) : "";
}

/** Of continuous values: whose segments are corrected. */
function signalChoice(signals, editing) {
  const field = h("select", { id: newId("signal"), onchange: () => {
    editing.choose(editing.person, field.value, -1);
    say(`segments of ${field.value}`);
  } }, signals.map((one) => h("option", { value: one }, one)));
  return h("p", { class: "field inline" }, h("label", { for: field.id }, "Segments of"), field);
}

/** The whole recording in numbers. */
function wholeOf(person) {
  const rows = person.kind === "classes"
    ? person.names.map((name, k) => [name, [person.overall?.[k]]]).sort((a, b) => (b[1][0] ?? 0) - (a[1][0] ?? 0))
    : person.names.map((name, k) => [name, person.facts[k] ?? [undefined, undefined, undefined]]);
  const head = person.kind === "classes" ? ["mean probability"] : ["mean", "lowest", "highest"];
  const ratings = Object.entries(person.ratings ?? {}).map(([name, x]) => `${name} ${value(x, "values")}`).join(", ");
  return h("section", { class: "whole", "aria-labelledby": "whole-title" }, h("h2", { id: "whole-title" }, "The whole recording"),
    h("table", {}, h("thead", {}, h("tr", {}, h("td", {}), head.map((one) => h("th", { scope: "col" }, one)))),
      h("tbody", {}, rows.map(([name, numbers]) => h("tr", {}, h("th", { scope: "row" }, name), numbers.map((x) => h("td", {}, x === undefined ? "not known" : value(x, person.kind))))))),
    ratings ? h("p", { class: "quiet" }, `Experimental, read from the face: ${ratings}.`) : null,
    person.medians ? h("p", { class: "quiet" }, `Medians of what it rests on: ${person.medians}.`) : null);
}
