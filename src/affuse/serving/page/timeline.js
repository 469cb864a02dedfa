// The axis of time: which part of a recording is shown, and the layers that are drawn along it.

import { button, h } from "./dom.js";
import { clock } from "./format.js";

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600];

/** Layers over one another that share an axis. A layer is `{element, label, draw(range)}`. */
export class Timeline {
  constructor(player, signal) {
    this.player = player;
    this.range = { from: 0, to: player.duration };
    this.layers = [];
    this.head = h("div", { class: "head", "aria-hidden": "true" });
    this.axis = h("div", { class: "axis", "aria-hidden": "true" });
    this.rows = h("div", { class: "rows" });
    this.place = h("input", { type: "range", min: 0, max: 1000, value: 0, "aria-label": "Which part of the recording is shown", oninput: () => this.move(this.place.value / 1000 * this.duration) });
    this.zoomed = h("span", { class: "quiet" });
    this.bar = h("div", { class: "zoom" }, button("Zoom in", () => this.zoom(0.5)), button("Zoom out", () => this.zoom(2)), this.place, this.zoomed);
    this.element = h("div", { class: "timeline" }, h("div", { class: "stack" }, this.rows, h("div", { class: "along" }, this.axis), h("div", { class: "over", "aria-hidden": "true" }, this.head)), this.bar);
    this.element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    player.addEventListener("time", () => this.follow());
    const resized = new ResizeObserver(() => this.drawAxis());
    resized.observe(this.element);
    signal.addEventListener("abort", () => resized.disconnect());
  }

  get duration() {
    return this.player.duration;
  }

  /** Show these layers from now on. */
  show(layers) {
    this.layers = layers;
    this.rows.replaceChildren(...layers.map((layer) => h("div", { class: `row ${layer.kind}` }, h("div", { class: "name" }, layer.label), h("div", { class: "lane" }, layer.element))));
    this.draw();
  }

  draw() {
    const { from, to } = this.range;
    for (const layer of this.layers) layer.draw(this.range);
    this.drawAxis();
    const whole = to - from >= this.duration - 1e-6;
    this.place.hidden = whole;
    this.place.value = 1000 * from / this.duration;
    this.zoomed.textContent = whole ? "" : `${clock(from)} to ${clock(to)}`;
    this.follow();
  }

  drawAxis() {
    const { from, to } = this.range;
    const most = Math.max(2, this.axis.clientWidth / 70);
    const step = STEPS.find((one) => (to - from) / one <= most) ?? 7200;
    const ticks = [];
    for (let k = Math.ceil(from / step - 1e-9); k * step <= to + 1e-9; k += 1) ticks.push(k * step);
    this.axis.replaceChildren(...ticks.map((time) => h("span", { style: { left: `${this.percent(time)}%` } }, clock(time, step < 1 ? 1 : 0))));
  }

  /** Where a moment lies, in percent of what is shown. */
  percent(time) {
    const { from, to } = this.range;
    return 100 * (time - from) / (to - from);
  }

  /** The moment at a place of the screen. */
  timeAt(x) {
    const box = this.axis.getBoundingClientRect();
    const { from, to } = this.range;
    return from + Math.min(1, Math.max(0, (x - box.left) / box.width)) * (to - from);
  }

  zoom(factor) {
    const { from, to } = this.range;
    const length = Math.min(this.duration, Math.max(Math.min(1, this.duration), factor * (to - from)));
    const { time } = this.player;
    const inside = time >= from && time <= to ? time : (from + to) / 2;
    this.set(inside - (inside - from) / (to - from) * length, length);
  }

  move(from) {
    this.set(from, this.range.to - this.range.from);
  }

  set(from, length) {
    const begin = Math.min(Math.max(0, from), this.duration - length);
    this.range = { from: begin, to: begin + length };
    this.draw();
  }

  wheel(event) {
    const along = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
    if (event.ctrlKey) this.zoom(event.deltaY > 0 ? 1.25 : 0.8);
    else if (along && !this.place.hidden) this.move(this.range.from + along / 800 * (this.range.to - this.range.from));
    else return;
    event.preventDefault();
  }

  /** Keep the head where the player is, and in sight. */
  follow() {
    const { time } = this.player, { from, to } = this.range;
    if (time < from - 1e-6 || time > to + 1e-6) {
      if (!this.turning) {
        this.turning = true;
        this.move(time - 0.1 * (to - from));
        this.turning = false;
      }
      return;
    }
    this.head.style.setProperty("left", `${this.percent(time)}%`);
  }
}
