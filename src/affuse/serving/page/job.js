// One recording: how far it is, and then what was found.

import { deleteJob, readJob, readLink, readSegments, readView } from "./api.js";
import { button, h, say, show } from "./dom.js";
import { forget, nameOf } from "./library.js";
import { resultView } from "./result.js";

/** Milliseconds between two looks. */
const LOOK = 700;

/** Show a job until it is done, and its result then. */
export async function jobView(signal, id) {
  const job = await finished(signal, id);
  if (signal.aborted) return;
  const name = nameOf(id);
  if (job.state === "failed") {
    show(name, h("h1", {}, name),
      h("p", { class: "wrong", role: "alert" }, job.error),
      h("p", {}, "It may be no recording, or damaged, or hold neither a voice nor a face. Nothing else is affected."),
      h("p", { class: "buttons" }, h("a", { class: "button", href: "#/" }, "Choose another recording"), button("Delete it", () => remove(id))));
    return;
  }
  const [view, link, segments] = await Promise.all([readView(id), readLink(id), readSegments(id)]);
  if (!signal.aborted) resultView(signal, { job, name, view, link, segments, remove: () => remove(id) });
}

async function finished(signal, id) {
  const name = nameOf(id);
  let job = await readJob(id);
  if (["done", "failed"].includes(job.state)) return job;
  const bar = h("progress", { max: 1, value: 0, "aria-label": `Work on ${name}` });
  const words = h("p", { "aria-live": "polite" });
  show(name, h("h1", {}, name), h("div", { class: "working" }, bar, words),
    h("p", { class: "quiet" }, "You may close this page: the work goes on, and the recording is found again under Recordings."),
    h("p", { class: "buttons" }, button("Cancel and delete", () => remove(id))));
  while (!signal.aborted && !["done", "failed"].includes(job.state)) {
    bar.value = job.progress;
    const said = job.state === "queued" ? "Waits for its turn." : `Faces and voices are looked for: about ${10 * Math.floor(10 * job.progress)} %.`;
    if (words.textContent !== said) words.textContent = said;
    await new Promise((done) => setTimeout(done, LOOK));
    if (signal.aborted) break;
    try {
      job = await readJob(id);
    } catch (error) {
      if (error.status) throw error;
      words.textContent = `${error.message} Trying again.`;
    }
  }
  if (job.state === "done" && !signal.aborted) say(`${name} is done`);
  return job;
}

async function remove(id) {
  if (!confirm(`Delete ${nameOf(id)}, its results and its corrections?`)) return;
  await deleteJob(id).catch(() => {});
  forget(id);
  location.hash = "#/";
}
