// The segment that is chosen, as a form.

import { button, h, newId, say } from "./dom.js";
import { clock } from "./format.js";
import { NOT_SURE } from "./segments.js";
import { wordsOf } from "./track.js";

const OTHER = "\u0000other";

/** The form: its element, and `draw()`. `actions` are those of the keyboard, by name, `choice` that of the tier. */
export function segmentPanel(editing, player, labels, actions, choice) {
  const [labelId, ownId, startId, endId] = ["label", "own", "start", "end"].map(newId);
  const numbers = labels === null;
  const choose = h("select", { id: labelId, onchange: () => {
    if (choose.value !== OTHER) actions.relabel(choose.value);
    own.hidden = choose.value !== OTHER;
    if (!own.hidden) own.focus();
  } });
  const own = h("input", { id: ownId, type: "text", maxlength: 200, hidden: true, "aria-label": "A label of your own", placeholder: "your own label", onchange: () => actions.relabel(own.value) });
  const amount = h("input", { id: labelId, type: "number", min: -1, max: 1, step: 0.1, onchange: () => {
    if (amount.value !== "" && Math.abs(amount.valueAsNumber) <= 1) actions.relabel(signed(amount.valueAsNumber));
  } });
  const time = (id, of) => h("input", { id, type: "number", min: 0, max: player.duration.toFixed(3), step: 0.1, onchange: (event) => {
    if (event.target.value !== "") actions[of](event.target.valueAsNumber);
    draw();
  } });
  const start = time(startId, "startAt"), end = time(endId, "endAt");
  const field = (id, text, ...fields) => h("div", { class: "field" }, h("label", { for: id }, text), ...fields);
  const which = h("h3", {}, "");
  const needs = [];
  const act = (name, text, key) => {
    const one = button(text, () => actions[name](), { "aria-keyshortcuts": key.replace("Del", "Delete").replace("Ctrl", "Control"), title: `key ${key}` });
    one.append(h("kbd", { "aria-hidden": "true" }, key));
    return one;
  };
  const needing = (one) => {
    needs.push(one);
    return one;
  };
  const undo = act("undo", "Undo", "Ctrl+Z"), redo = act("redo", "Redo", "Ctrl+Y");
  const saved = h("span", { class: "saved", role: "status" });
  const element = h("section", { class: "panel", "aria-labelledby": "panel-title" },
    h("h2", { id: "panel-title" }, "Correct the segments"), choice, which,
    h("div", { class: "fields" },
      needing(numbers ? field(labelId, "Value", amount) : field(labelId, "Label", choose, own)),
      needing(field(startId, "From, s", start)), needing(field(endId, "To, s", end))),
    h("p", { class: "buttons" },
      needing(act("unsure", "Not sure", "U")), needing(act("replay", "Play it", "R")), act("split", "Split here", "X"),
      needing(act("join", "Join with next", "J")), act("add", "New here", "N"), needing(act("remove", "Delete", "Del")), undo, redo, saved),
    h("div", { class: "conflict", hidden: true, role: "alert" }));
  const conflict = element.querySelector(".conflict");

  function draw() {
    const one = editing.chosen;
    which.textContent = one ? `${editing.index + 1} of ${editing.tier.length}: ${wordsOf(one)}` : "No segment is chosen: click one, or use the keys up and down.";
    for (const part of needs) for (const control of part.matches("button") ? [part] : part.querySelectorAll("input, select")) control.disabled = !one;
    undo.disabled = editing.history.past.length === 0;
    redo.disabled = editing.history.future.length === 0;
    start.value = one ? one.start.toFixed(2) : "";
    end.value = one ? one.end.toFixed(2) : "";
    if (numbers) {
      amount.value = one && one.label !== NOT_SURE ? Number(one.label).toFixed(1) : "";
      return;
    }
    const all = one && !labels.includes(one.label) ? [...labels, one.label] : labels;
    choose.replaceChildren(...all.map((label, k) => h("option", { value: label }, k < 9 && k < labels.length ? `${label} (${k + 1})` : label)), h("option", { value: OTHER }, "another label ..."));
    choose.value = one?.label ?? "";
    own.hidden = true;
    own.value = "";
  }

  function tell() {
    const { state, reason } = editing;
    saved.textContent = { saved: editing.revision ? "Saved." : "", waiting: "Saving ...", failed: `Not saved: ${reason}.`, conflict: "Not saved." }[state];
    saved.classList.toggle("wrong", state === "failed" || state === "conflict");
    if (state === "failed") saved.append(" ", button("Try again", () => editing.again()));
    conflict.hidden = state !== "conflict";
    conflict.replaceChildren(h("p", {}, "These segments were changed in another window in between."), h("p", { class: "buttons" },
      button("Take those of the other window", () => editing.settle(false)), button("Keep mine", () => editing.settle(true))));
  }

  editing.addEventListener("saving", tell);
  tell();
  return { element, draw, focusLabel: () => (numbers ? amount.select() : choose.focus()) };
}

/** A value as the formats have it: rounded to 0.1, with its sign. */
export function signed(number) {
  const rounded = Math.round(number * 10) / 10 + 0;
  return `${rounded < 0 ? "-" : "+"}${Math.abs(rounded).toFixed(1)}`;
}

/** Say what a change made of the segment that is chosen, or that there was none. */
export function announce(editing, done, why) {
  if (!done) say(why);
  else say(editing.chosen ? wordsOf(editing.chosen) : `no segment at ${clock(0)}`);
}
