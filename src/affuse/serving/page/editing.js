// The segments of a recording while a person corrects them: what is chosen, undo, and saving.

import { readSegments, saveSegments } from "./api.js";

/** Milliseconds after a change until it is sent. */
const PAUSE = 500;
const keyOf = (one) => `${one.signal}@${one.person}`;

/** Events: `change` of segments or of the choice, `saving` of what became of them. */
export class Editing extends EventTarget {
  /** `saved` is what the server has: `{revision, segments}`. */
  constructor(id, saved, signal) {
    super();
    this.id = id;
    this.state = "saved";
    this.load(saved);
    const leave = (event) => {
      if (this.state !== "saved") event.preventDefault();
    };
    window.addEventListener("beforeunload", leave, { signal });
    document.addEventListener("visibilitychange", () => this.flush(), { signal });
    signal.addEventListener("abort", () => this.flush());
  }

  load({ revision, segments }) {
    this.revision = revision;
    this.steps = new Map();
    this.tiers = new Map();
    for (const one of segments) this.tiers.set(keyOf(one), [...(this.tiers.get(keyOf(one)) ?? []), one]);
    for (const tier of this.tiers.values()) tier.sort((a, b) => a.start - b.start);
    this.choose(this.person, this.signal, -1);
  }

  /** The tier that is worked on. */
  get tier() {
    return this.tiers.get(keyOf(this)) ?? [];
  }

  /** The segment that is chosen, if any. */
  get chosen() {
    return this.tier[this.index];
  }

  choose(person, signal, index) {
    Object.assign(this, { person, signal, index });
    this.dispatchEvent(new Event("change"));
  }

  select(index) {
    if (index !== this.index) this.choose(this.person, this.signal, index);
  }

  /** What was done to the tier that is worked on, and what was undone: `[tier, index]` each. */
  get history() {
    const key = keyOf(this);
    if (!this.steps.has(key)) this.steps.set(key, { past: [], future: [] });
    return this.steps.get(key);
  }

  /** Make a change of the tier that is worked on; returns whether there was one. */
  apply(change) {
    if (!change) return false;
    this.history.past.push([this.tier, this.index]);
    this.history.future = [];
    this.put(change.tier, change.index);
    this.soon();
    return true;
  }

  /** Show a tier as it is going to be, while a border is dragged. */
  put(tier, index) {
    this.tiers = new Map(this.tiers).set(keyOf(this), tier);
    this.choose(this.person, this.signal, index);
  }

  undo() {
    return this.goTo(this.history.past, this.history.future);
  }

  redo() {
    return this.goTo(this.history.future, this.history.past);
  }

  goTo(from, to) {
    const before = from.pop();
    if (!before) return false;
    to.push([this.tier, this.index]);
    this.put(...before);
    this.soon();
    return true;
  }

  soon() {
    this.tell("waiting");
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.flush(), PAUSE);
  }

  /** Send what was not sent yet; one request at a time. */
  async flush() {
    clearTimeout(this.waiting);
    if (this.state !== "waiting" || this.sending) return;
    this.sending = true;
    const sent = this.tiers;
    try {
      this.revision = await saveSegments(this.id, this.revision, [...sent.values()].flat());
      this.tell(this.tiers === sent ? "saved" : "waiting");
    } catch (error) {
      this.tell(error.status === 409 ? "conflict" : "failed", error.message);
    } finally {
      this.sending = false;
    }
    if (this.state === "waiting") this.soon();
  }

  /** Try again what failed. */
  again() {
    this.tell("waiting");
    return this.flush();
  }

  /** After a conflict: what the other window saved, or what is here. */
  async settle(mine) {
    const theirs = await readSegments(this.id);
    if (mine) {
      this.revision = theirs.revision;
      await this.again();
      return;
    }
    this.load(theirs);
    this.tell("saved");
  }

  tell(state, reason = "") {
    Object.assign(this, { state, reason });
    this.dispatchEvent(new Event("saving"));
  }
}
