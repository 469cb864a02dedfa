// The segments along the axis of time, to be chosen with keys and moved with a pointer.

import { h, newId, say } from "./dom.js";
import { clock } from "./format.js";
import { NOT_SURE, withEnd, withStart } from "./segments.js";

/** Segments beyond which those are left out that are too narrow to be seen: a share of the width. */
const MANY = 600, NARROW = 0.003;

/** What a segment is called by who hears it. */
export function wordsOf(one) {
  return `${one.label}, ${clock(one.start, 2)} to ${clock(one.end, 2)}${one.note === "corrected" ? ", corrected" : ""}`;
}

/** A layer with the tier that is worked on. */
export function trackLayer(editing, player, timeline, colourOf) {
  const list = h("div", { class: "track", role: "listbox", tabindex: "0", "aria-label": "Segments; up and down choose one" });
  const none = h("p", { class: "quiet none" });
  const element = h("div", {}, list, none);

  function draw(range) {
    const { from, to } = range, { tier } = editing;
    const inside = tier.map((one, k) => [one, k]).filter(([one]) => one.end > from && one.start < to);
    const many = inside.length > MANY;
    const shown = many ? inside.filter(([one, k]) => (one.end - one.start) / (to - from) > NARROW || k === editing.index) : inside;
    list.setAttribute("aria-label", `Segments of ${editing.signal} of ${editing.person}; up and down choose one`);
    list.hidden = shown.length === 0;
    none.hidden = !list.hidden && !many;
    none.textContent = many ? `${inside.length} segments; zoom in to see the short ones.` : "No segments here. N makes one where the player is.";
    list.removeAttribute("aria-activedescendant");
    list.replaceChildren(...shown.map(([one, k]) => {
      const chosen = k === editing.index;
      const id = newId("segment");
      if (chosen) list.setAttribute("aria-activedescendant", id);
      const left = 100 * (Math.max(one.start, from) - from) / (to - from);
      const wide = 100 * (Math.min(one.end, to) - Math.max(one.start, from)) / (to - from);
      return h("div", { id, role: "option", "aria-selected": String(chosen), "aria-label": wordsOf(one), title: wordsOf(one),
        class: `segment ${kindOf(one.label)}`, "data-index": k, style: { left: `${left}%`, width: `${wide}%`, "--colour": colourOf(one.label) } },
      h("span", {}, one.label),
      chosen && h("i", { class: "grip start", "data-grip": "start" }), chosen && h("i", { class: "grip end", "data-grip": "end" }));
    }));
  }

  list.addEventListener("pointerdown", (event) => {
    const segment = event.target.closest("[data-index]");
    if (!segment) return;
    const index = Number(segment.dataset.index);
    const { grip } = event.target.dataset;
    if (grip) drag(event, index, grip);
    else {
      editing.select(index);
      const one = editing.chosen;
      const time = timeline.timeAt(event.clientX);
      player.seek(Math.min(Math.max(time, one.start), one.end));
    }
  });

  /** Move a border as long as the pointer is down; all of it is one change. */
  function drag(event, index, grip) {
    event.preventDefault();
    const move = grip === "start" ? withStart : withEnd;
    const { tier } = editing;
    let last = null;
    list.setPointerCapture(event.pointerId);
    const moved = (at) => {
      last = move(tier, index, timeline.timeAt(at.clientX), player.duration);
      if (!last) return;
      editing.put(last.tier, index);
      player.seek(last.tier[index][grip]);
    };
    const ended = () => {
      list.removeEventListener("pointermove", moved);
      editing.put(tier, index);
      if (editing.apply(last)) say(wordsOf(editing.chosen));
    };
    list.addEventListener("pointermove", moved);
    list.addEventListener("lostpointercapture", ended, { once: true });
  }

  return { kind: "segments", label: "segments", element, draw, list };
}

function kindOf(label) {
  if (label === NOT_SURE) return "unsure";
  return label === "unclear" || label === "withheld" ? "open" : "";
}
