// The start: add a recording, and see what becomes of those that were added.

import { readLimits, readModels, upload } from "./api.js";
import { h, say, show } from "./dom.js";
import { megabytes } from "./format.js";
import { jobList } from "./joblist.js";
import { remember } from "./library.js";
import { recorder } from "./recorder.js";

/** Show the start. */
export async function homeView(signal) {
  const [limits, models] = await Promise.all([readLimits(), readModels()]);
  if (signal.aborted) return;
  const options = choices(models);
  const coming = h("div", { class: "coming" });
  const list = jobList(signal);
  const add = (files) => addAll(files, options.chosen(), coming, list, limits);
  show("",
    h("h1", {}, "Emotions over time, from a face and a voice"),
    h("p", { class: "lead" }, "Choose a video, a sound or an image. You get curves, which you can check and correct, and save for ELAN, Praat, BORIS, Audacity or a spreadsheet."),
    h("div", { class: "ways" }, dropZone(add, limits), recorder(add, signal)),
    options.element, coming,
    list.element);
}

function dropZone(add, limits) {
  const field = h("input", { type: "file", id: "file", class: "unseen", multiple: true, accept: "video/*,audio/*,image/*,.mkv,.mov,.avi,.mpg,.flv,.wmv,.mts,.m2ts,.mxf,.heic" });
  field.addEventListener("change", () => {
    add([...field.files]);
    field.value = "";
  });
  const minutes = Math.round(limits.seconds / 60);
  const zone = h("section", { class: "drop", "aria-labelledby": "drop-title" },
    h("h2", { id: "drop-title" }, "From a file"),
    h("p", {}, field, h("label", { for: "file", class: "strong" }, "Choose recordings")),
    h("p", { class: "quiet" }, `or drop them here. Up to ${megabytes(limits.bytes)} and ${minutes} minutes each.`));
  const over = (on) => (event) => {
    event.preventDefault();
    zone.classList.toggle("over", on);
  };
  zone.addEventListener("dragover", over(true));
  zone.addEventListener("dragleave", over(false));
  zone.addEventListener("drop", (event) => {
    over(false)(event);
    add([...event.dataTransfer.files]);
  });
  return zone;
}

/** What is asked for: whose curves, by which model, how densely. */
function choices(models) {
  const chooser = (id, label, entries) => {
    const field = h("select", { id }, entries.map(([value, text]) => h("option", { value }, text)));
    return [field, h("div", { class: "field" }, h("label", { for: id }, label), field)];
  };
  const [people, forPeople] = chooser("people", "Whose curves", [["all", "everybody who is seen"], ["largest", "the main person alone"]]);
  const [hop, forHop] = chooser("hop", "A value every", [["", "as the model is used to"], ["0.5", "0.5 seconds"], ["0.2", "0.2 seconds (slower)"]]);
  const [model, forModel] = chooser("model", "Model", models.map((one) => [one.name, `${one.name}: ${one.outputs.join(", ")}`]));
  return {
    element: h("details", { class: "options" }, h("summary", {}, "Options"),
      h("div", { class: "fields" }, forPeople, forHop, models.length > 1 ? forModel : null)),
    chosen: () => ({ people: people.value, hop: hop.value, model: model.value }),
  };
}

/** Upload files one after the other; one that is alone is shown as soon as it is there. */
async function addAll(files, options, coming, list, limits) {
  for (const file of files) {
    const bar = h("progress", { max: 1, value: 0, "aria-label": `Upload of ${file.name}` });
    const words = h("span", {}, "waiting");
    const row = h("p", { class: "upload" }, h("b", {}, file.name), bar, words);
    coming.append(row);
    try {
      if (file.size > limits.bytes) throw new Error(`is ${megabytes(file.size)}; this server takes ${megabytes(limits.bytes)}`);
      const job = await upload(file, file.name, options, (share) => {
        bar.value = share;
        words.textContent = `uploading, ${Math.round(100 * share)} %`;
      });
      remember(job.id, file.name);
      row.remove();
      say(`${file.name} is uploaded`);
      if (files.length === 1) location.hash = `#/job/${job.id}`;
      else list.refresh();
    } catch (error) {
      row.replaceChildren(h("b", {}, file.name), h("span", { class: "wrong", role: "alert" }, error.message));
    }
  }
}
