// What keys do on the page of a recording: one table for the keys and for the help about them.

import { button, h } from "./dom.js";

const KEY = "affuse.keys";

/** Keys, what they do, and the action of `actionsOf` that it is. */
const KEYS = [
  ["Space", "play, pause (also K)", "toggle"],
  ["ArrowLeft", "0.1 s back (Shift: 1 s)", "back"],
  ["ArrowRight", "0.1 s on (Shift: 1 s)", "on"],
  ["Home", "to the beginning", "home"],
  ["End", "to the end", "last"],
  ["ArrowUp", "the segment before", "before"],
  ["ArrowDown", "the next segment", "after"],
  ["R", "play the segment", "replay"],
  ["1 to 9", "give the segment this label", "number"],
  ["U", "not sure", "unsure"],
  ["L", "go to the label", "label"],
  ["S", "the segment starts here", "startHere"],
  ["E", "the segment ends here", "endHere"],
  ["Q", "start 0.1 s earlier", "startEarlier"],
  ["W", "start 0.1 s later", "startLater"],
  ["O", "end 0.1 s earlier", "endEarlier"],
  ["P", "end 0.1 s later", "endLater"],
  ["X", "split here", "split"],
  ["J", "join with the next", "join"],
  ["N", "a new segment here", "add"],
  ["Delete", "delete the segment", "remove"],
  ["Control+Z", "undo", "undo"],
  ["Control+Y", "do it again", "redo"],
  ["+", "zoom in", "zoomIn"],
  ["-", "zoom out", "zoomOut"],
  ["?", "this help", "help"],
];
const NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", "Control+Z": "Ctrl+Z", "Control+Y": "Ctrl+Y" };
const ACTIONS = new Map(KEYS.map(([key, , action]) => [key.toLowerCase(), action]));
const ALSO = { backspace: "remove", "control+shift+z": "redo", " ": "toggle", k: "toggle" };
const MOVES = new Set(["arrowleft", "arrowright", "arrowup", "arrowdown", "home", "end"]);

/** Let keys do what `actions` has under their names, as long as a view is shown. */
export function listen(actions, signal) {
  document.addEventListener("keydown", (event) => {
    const { target } = event;
    const key = event.key.toLowerCase();
    const command = event.ctrlKey || event.metaKey;
    if (event.altKey && !event.ctrlKey || document.querySelector("dialog[open]")) return;
    if (target.closest("input:not([type=checkbox]):not([type=range]), select, textarea")) return;
    if (target.closest("input[type=range], [role=tab]") && MOVES.has(key)) return;
    if (target.closest("button, a, summary, video, audio") && (key === " " || key === "enter")) return;
    const plain = /^[1-9]$/.test(key) && !command ? "number" : null;
    const word = `${command && key.length === 1 ? "control+" : ""}${command && event.shiftKey ? "shift+" : ""}${key}`;
    const action = plain ?? ALSO[word] ?? ACTIONS.get(word);
    if (!action || !actions[action] || (key.length === 1 && !command && !on())) return;
    event.preventDefault();
    actions[action](action === "number" ? Number(key) : event.shiftKey);
  }, { signal });
}

/** Whether letters and signs are shortcuts; who speaks to the machine may switch them off. */
function on() {
  return localStorage.getItem(KEY) !== "off";
}

/** Show what keys do. */
export function showHelp() {
  if (document.querySelector("dialog[open]")) return;
  const tick = h("input", { type: "checkbox", id: "keys-on", onchange: () => localStorage.setItem(KEY, tick.checked ? "on" : "off") });
  tick.checked = on();
  const dialog = h("dialog", { class: "help", "aria-labelledby": "help-title" },
    h("h2", { id: "help-title" }, "What keys do on the page of a recording"),
    h("div", { class: "keys" }, KEYS.map(([key, does]) => h("p", {}, h("kbd", {}, NAMES[key] ?? key), ` ${does}`))),
    h("p", {}, tick, h("label", { for: "keys-on" }, " Single letters and signs are shortcuts")),
    h("p", { class: "quiet" }, "Where two segments touch, their border moves for both. On a Mac, Ctrl is Cmd."),
    h("p", { class: "buttons" }, button("Close", () => dialog.close(), { class: "strong" })));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
