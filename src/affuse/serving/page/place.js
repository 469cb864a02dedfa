// The place in the recording: a slider for keys and screen readers, all lanes for the pointer.

import { h } from "./dom.js";

/** The place in the recording, to be moved with keys and pointer, over the curves. */
export function placeOf(timeline, player) {
  const element = h("div", { class: "place", role: "slider", tabindex: "0", "aria-label": "Place in the recording", "aria-valuemin": 0, "aria-valuemax": player.duration.toFixed(2) });
  const knob = h("i", {});
  element.append(knob);
  let words = () => "";
  const draw = () => {
    const percent = timeline.percent(player.time);
    knob.hidden = percent < 0 || percent > 100;
    knob.style.setProperty("left", `${percent}%`);
  };
  player.addEventListener("time", () => {
    draw();
    if (player.playing) return;  // nobody wants to hear every frame
    element.setAttribute("aria-valuenow", player.time.toFixed(2));
    element.setAttribute("aria-valuetext", words());
  });
  const seek = (event) => player.seek(timeline.timeAt(event.clientX));
  timeline.rows.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest(".track, .frame") || !event.target.closest(".lane")) return;
    seek(event);
    const move = (at) => seek(at);
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", () => window.removeEventListener("pointermove", move), { once: true });
    window.addEventListener("pointercancel", () => window.removeEventListener("pointermove", move), { once: true });
  });
  return {
    layer: { kind: "scrub", label: "", element, draw },
    describe: (fresh) => {
      words = fresh;
      element.setAttribute("aria-valuenow", player.time.toFixed(2));
      element.setAttribute("aria-valuetext", words());
    },
  };
}
