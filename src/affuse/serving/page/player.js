// The recording itself, and the one clock that everything below it follows.

import { button, h } from "./dom.js";
import { clock } from "./format.js";

/** Plays a recording, or stands in for one that the browser cannot play. Events: `time`, `state`. */
export class Player extends EventTarget {
  /** `facts`: `url`, `duration` in seconds, `tracks`, `frames` to show where it cannot be played. */
  constructor(facts, signal) {
    super();
    this.duration = facts.duration;
    this.time = 0;
    this.playable = false;
    this.end = null;
    this.frames = facts.frames;
    this.element = h("div", { class: "player" });
    this.button = button("Play", () => this.toggle(), { disabled: true });
    this.clock = h("span", { class: "time" });
    signal.addEventListener("abort", () => this.media?.pause());
    this.open(facts);
    this.tell();
  }

  open({ url, duration, tracks }) {
    this.image = duration < 0.1 && tracks.audio === null;
    if (this.image) {
      this.element.append(h("img", { src: url, alt: "The image that was read", onerror: () => this.stand("image") }));
      return;
    }
    const kind = tracks.video === null ? "audio" : "video";
    const media = h(kind, { src: url, preload: "auto", playsinline: true, "aria-label": "The recording" });
    this.media = media;
    media.addEventListener("error", () => this.stand(kind));
    media.addEventListener("loadedmetadata", () => {
      if (kind === "video" && media.videoWidth === 0) this.stand("video", true);
      // recordings of browsers do not say how long they are until their end was looked for
      if (media.duration === Infinity) {
        media.currentTime = 1e9;
        media.addEventListener("durationchange", () => { media.currentTime = this.time; }, { once: true });
      }
      this.playable = true;
      this.button.disabled = false;
    });
    for (const event of ["play", "pause", "ended"]) media.addEventListener(event, () => this.follow());
    media.addEventListener("click", () => this.toggle());
    this.element.append(media);
  }

  /** Say that the browser cannot play it, and show the nearest key frame instead. */
  stand(kind, sound = false) {
    const what = sound ? "can play the sound of this file alone, not its images" : "cannot play this kind of file";
    this.still = this.frames.length ? h("img", { alt: "", class: "still" }) : null;
    const words = h("p", {}, `Your browser ${what}. Everything else works: ${kind === "audio" ? "curves" : "key frames, curves"} and segments. A copy as MP4 (H.264) plays everywhere.`);
    if (!sound) {
      this.media = null;
      this.playable = false;
      this.button.disabled = true;
    }
    this.element.replaceChildren(h("div", { class: "unplayable" }, this.still, words));
    this.tell();
  }

  /** Other key frames, of another person. */
  showFrames(frames) {
    this.frames = frames;
    this.tell();
  }

  get playing() {
    return Boolean(this.media && !this.media.paused && !this.media.ended);
  }

  toggle() {
    this.end = null;
    if (!this.playable) return;
    if (this.playing) this.media.pause();
    else this.play();
  }

  play() {
    if (this.time > this.duration - 0.05) this.seek(0);
    this.media.play().catch(() => this.follow());
  }

  /** Play from one moment to another. */
  playSpan(start, end) {
    this.seek(start);
    this.end = end;
    if (this.playable) this.play();
  }

  seek(time) {
    this.time = Math.min(Math.max(0, time), this.duration);
    this.end = null;
    if (this.playable) this.media.currentTime = this.time;
    this.tell();
  }

  follow() {
    this.button.textContent = this.playing ? "Pause" : "Play";
    this.dispatchEvent(new Event("state"));
    const step = () => {
      if (!this.media) return;
      this.time = Math.min(this.media.currentTime, this.duration);
      if (this.end !== null && this.time >= this.end) {
        this.media.pause();
        this.time = this.end;
        this.end = null;
      }
      this.tell();
      if (this.playing) requestAnimationFrame(step);
    };
    step();
  }

  tell() {
    this.clock.textContent = `${clock(this.time)} of ${clock(this.duration)}`;
    if (this.still) {
      const far = (frame) => Math.abs(frame.time - this.time);
      this.still.src = this.frames.reduce((best, frame) => (far(frame) < far(best) ? frame : best)).image;
    }
    this.dispatchEvent(new Event("time"));
  }
}
