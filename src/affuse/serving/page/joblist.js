// The recordings that this browser knows of, and how far each is.

import { deleteJob, readJob } from "./api.js";
import { button, h, say } from "./dom.js";
import { when } from "./format.js";
import { forget, known } from "./library.js";

/** Milliseconds between two looks at jobs that go on. */
const LOOK = 1000;

/** The list: its element, and a way to have it look again. */
export function jobList(signal) {
  const rows = h("ul", { class: "jobs" });
  const chosen = new Set();
  const both = button("Compare the two chosen", () => {
    const [one, other] = known().map((job) => job.id).filter((id) => chosen.has(id)).reverse();
    location.hash = `#/compare/${one}/${other}`;
  }, { disabled: true });
  const hint = h("span", { class: "quiet" }, "Tick two recordings to compare them.");
  const element = h("section", { "aria-labelledby": "jobs-title" }, h("h2", { id: "jobs-title" }, "Your recordings"), rows);
  let waiting = null;

  function choose(id, on) {
    if (on) chosen.add(id);
    else chosen.delete(id);
    both.disabled = chosen.size !== 2;
  }

  async function refresh() {
    clearTimeout(waiting);
    const jobs = known();
    const states = await Promise.all(jobs.map((job) => stateOf(job.id)));
    if (signal.aborted) return;
    jobs.forEach((job, k) => { if (states[k].state === "gone") forget(job.id); });
    draw(jobs.map((job, k) => ({ ...job, ...states[k], name: job.name })).filter((job) => job.state !== "gone"));
    if (states.some((job) => ["queued", "running", "silent"].includes(job.state))) waiting = setTimeout(refresh, LOOK);
  }

  function draw(jobs) {
    const before = new Map([...rows.children].map((row) => [row.dataset.id, row]));
    const fresh = jobs.map((job) => {
      const old = before.get(job.id);
      if (old?.dataset.state === job.state) {
        const bar = old.querySelector("progress");
        if (bar) bar.value = job.progress;
        return old;
      }
      if (old && ["done", "failed"].includes(job.state)) say(`${job.name}: ${job.state}`);
      return rowOf(job);
    });
    rows.replaceChildren(...fresh);
    const compare = element.querySelector(".compare-row");
    const done = jobs.filter((job) => job.state === "done").length;
    if (done > 1 && !compare) element.append(h("p", { class: "compare-row" }, both, " ", hint));
    if (done < 2) compare?.remove();
    element.hidden = jobs.length === 0;
  }

  function rowOf(job) {
    const remove = button("Delete", async () => {
      if (!confirm(`Delete ${job.name}, its results and its corrections?`)) return;
      await deleteJob(job.id).catch(() => {});
      forget(job.id);
      choose(job.id, false);
      say(`${job.name} is deleted`);
      refresh();
    }, { "aria-label": `Delete ${job.name}` });
    const tick = job.state === "done" && h("input", { type: "checkbox", "aria-label": `Compare ${job.name}`, onchange: (event) => choose(job.id, event.target.checked) });
    return h("li", { "data-id": job.id, "data-state": job.state },
      h("span", { class: "tick" }, tick || null),
      h("a", { href: `#/job/${job.id}` }, job.name),
      h("span", { class: "state" }, ...wordsOf(job)), remove);
  }

  refresh();
  return { element, refresh };
}

function wordsOf(job) {
  if (job.state === "running") return ["working ", h("progress", { max: 1, value: job.progress, "aria-label": `Work on ${job.name}` })];
  if (job.state === "queued") return ["waits for its turn"];
  if (job.state === "failed") return [h("span", { class: "wrong" }, `failed: ${job.error}`)];
  if (job.state === "silent") return [h("span", { class: "wrong" }, job.error)];
  return [`done, ${when(new Date(job.finished))}`];
}

async function stateOf(id) {
  try {
    return await readJob(id);
  } catch (error) {
    return error.status === 404 ? { id, state: "gone" } : { id, state: "silent", error: error.message };
  }
}
