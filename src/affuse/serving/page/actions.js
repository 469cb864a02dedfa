// What a person can do with the segments and the player, for buttons and keys alike.

import { say } from "./dom.js";
import { showHelp } from "./keyboard.js";
import { announce } from "./panel.js";
import { added, indexAt, joined, NOT_SURE, relabelled, split, withEnd, withStart, without } from "./segments.js";

/** The actions by name. `labels` are those of the numbers 1 to 9; null of continuous values. */
export function actionsOf({ editing, player, timeline, labels, focusLabel, sentence }) {
  const change = (made, why) => announce(editing, editing.apply(made), why);
  const nothing = "choose a segment first";
  const startAt = (time) => change(withStart(editing.tier, editing.index, time), editing.chosen ? "it cannot start there" : nothing);
  const endAt = (time) => change(withEnd(editing.tier, editing.index, time, player.duration), editing.chosen ? "it cannot end there" : nothing);
  const relabel = (label) => change(relabelled(editing.tier, editing.index, label), editing.chosen ? `it is ${label} already` : nothing);
  const seek = (time) => {
    player.seek(time);
    say(sentence());
  };

  function step(by) {
    const { tier } = editing;
    if (tier.length === 0) return say("there are no segments");
    const here = editing.chosen ? editing.index : indexAt(tier, player.time) - (by > 0 ? 1 : -1);
    const index = Math.min(Math.max(0, here + by), tier.length - 1);
    editing.select(index);
    player.seek(tier[index].start);
    announce(editing, true);
  }

  return {
    toggle: () => (player.playable ? player.toggle() : say("the browser cannot play this recording")),
    back: (far) => seek(player.time - (far ? 1 : 0.1)),
    on: (far) => seek(player.time + (far ? 1 : 0.1)),
    home: () => seek(0),
    last: () => seek(player.duration),
    before: () => step(-1),
    after: () => step(1),
    replay: () => (editing.chosen ? player.playSpan(editing.chosen.start, editing.chosen.end) : say(nothing)),
    number: (k) => (labels?.[k - 1] ? relabel(labels[k - 1]) : null),
    relabel,
    unsure: () => relabel(NOT_SURE),
    label: () => (editing.chosen ? focusLabel() : say(nothing)),
    startAt,
    endAt,
    startHere: () => startAt(player.time),
    endHere: () => endAt(player.time),
    startEarlier: () => startAt((editing.chosen?.start ?? 0) - 0.1),
    startLater: () => startAt((editing.chosen?.start ?? 0) + 0.1),
    endEarlier: () => endAt((editing.chosen?.end ?? 0) - 0.1),
    endLater: () => endAt((editing.chosen?.end ?? 0) + 0.1),
    split: () => change(split(editing.tier, player.time), "there is nothing to split here"),
    join: () => change(joined(editing.tier, editing.index), editing.chosen ? "there is no next segment" : nothing),
    add: () => {
      const facts = { person: editing.person, signal: editing.signal, label: NOT_SURE };
      change(added(editing.tier, player.time, player.duration, facts), "there is a segment here already");
    },
    remove: () => change(without(editing.tier, editing.index), nothing),
    undo: () => announce(editing, editing.undo(), "there is nothing to undo"),
    redo: () => announce(editing, editing.redo(), "there is nothing to do again"),
    zoomIn: () => timeline.zoom(0.5),
    zoomOut: () => timeline.zoom(2),
    help: showHelp,
  };
}
