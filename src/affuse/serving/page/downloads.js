// Save corrected segments in the formats of other programs, and what the model said.

import { download } from "./api.js";
import { button, h } from "./dom.js";

const FORMATS = [
  ["eaf", "ELAN", ".eaf"],
  ["textgrid", "Praat", ".TextGrid"],
  ["boris", "BORIS", ".boris.tsv"],
  ["vtt", "Subtitles", ".vtt"],
  ["audacity", "Audacity", ".labels.txt"],
  ["tidy", "Spreadsheet", ".segments.csv"],
];

/** The part of the page that saves files. */
export function downloads(job, name, editing) {
  const stem = name.replace(/\.[^.]*$/, "") || "recording";
  const problem = h("p", { class: "wrong", role: "alert", hidden: true });
  const save = async (path, file) => {
    problem.hidden = true;
    try {
      await editing.flush();
      await download(job.id, path, file);
    } catch (error) {
      problem.hidden = false;
      problem.textContent = error.message;
    }
  };
  const segments = FORMATS.map(([format, program, ending]) =>
    button(`${program} (${ending})`, () => save(`/segments/${format}?name=${encodeURIComponent(name)}`, stem + ending)));
  const results = job.files.map((file) => button(file.replace(/^recording/, stem), () => save(`/files/${encodeURIComponent(file)}`, file.replace(/^recording/, stem))));
  return h("section", { class: "downloads", "aria-labelledby": "save-title" },
    h("h2", { id: "save-title" }, "Save"),
    h("h3", {}, "The segments, as you corrected them"), h("p", { class: "buttons" }, segments),
    h("h3", {}, "What the model said"), h("p", { class: "buttons" }, results), problem);
}
