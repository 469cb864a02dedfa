// Key frames, and when sound, a face and good quality were there.

import { button, h } from "./dom.js";
import { clock } from "./format.js";

/** A layer of key frames; a click goes there. */
export function framesLayer(person, player) {
  const element = h("div", { class: "frames" });
  const images = person.frames.map((frame) => {
    const image = h("img", { src: frame.image, alt: "", draggable: "false" });
    return button(image, () => player.seek(frame.time), { class: "frame", tabindex: "-1", "aria-label": `Key frame at ${clock(frame.time)}` });
  });
  element.append(...images);
  function draw({ from, to }) {
    const apart = 98 * player.duration / person.frames.length / (to - from);
    const wide = `${Math.min(15, apart)}%`;
    images.forEach((image, k) => {
      const { time } = person.frames[k];
      image.hidden = time < from || time > to;
      image.style.setProperty("left", `${100 * (time - from) / (to - from)}%`);
      image.style.setProperty("width", wide);
    });
  }
  return { kind: "pictures", label: "", element, draw };
}

/** A layer of bars. `spans` are `{start, end, why}`. */
export function barLayer(label, summary, spans, kind) {
  const bar = h("div", { class: `bar ${kind}` });
  const text = `${label}: ${summary}`;
  const element = h("div", { class: "strip" }, h("span", { class: "summary" }, summary), bar);
  function draw({ from, to }) {
    bar.replaceChildren(...spans.filter((one) => one.end > from && one.start < to).map((one) => {
      const left = 100 * (Math.max(one.start, from) - from) / (to - from);
      const wide = 100 * (Math.min(one.end, to) - Math.max(one.start, from)) / (to - from);
      return h("i", { title: one.why ?? text, style: { left: `${left}%`, width: `${wide}%` } });
    }));
  }
  return { kind: "thin", label, element, draw };
}

/** Bars of sound, face and low quality of a person. */
export function qualityLayers(person, duration) {
  const bars = person.presence.map((one) => barLayer(one.name, one.summary, one.spans.map(([start, end]) => ({ start, end })), "there"));
  if (person.low.length) {
    const long = person.low.reduce((sum, one) => sum + one.end - one.start, 0);
    const why = [...new Set(person.low.flatMap((one) => one.why.split("; ")))].join(", ");
    bars.push(barLayer("low quality", `${Math.round(100 * long / duration)}% (${why})`, person.low, "low"));
  }
  return bars;
}
