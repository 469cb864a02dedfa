// Which view an address shows.

import { compareView } from "./compare.js";
import { h, show } from "./dom.js";
import { homeView } from "./home.js";
import { jobView } from "./job.js";
import { showHelp } from "./keyboard.js";
import { switchWith } from "./theme.js";

const ID = "([0-9a-f]{32})";
const ROUTES = [
  [/^#?\/?$/, homeView],
  [new RegExp(`^#/job/${ID}$`), jobView],
  [new RegExp(`^#/compare/${ID}/${ID}$`), compareView],
];

/** Ends what the last view does in the background. */
let leaving = new AbortController();

async function route() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  for (const [pattern, view] of ROUTES) {
    const found = pattern.exec(location.hash);
    if (!found) continue;
    try {
      await view(signal, ...found.slice(1));
    } catch (error) {
      if (signal.aborted) return;
      show("Not possible", h("h1", {}, "That did not work"), h("p", { class: "wrong", role: "alert" }, error.message), back());
    }
    return;
  }
  show("Not found", h("h1", {}, "There is no such page"), back());
}

function back() {
  return h("p", {}, h("a", { href: "#/" }, "Back to the recordings"));
}

const alone = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
document.getElementById("where").textContent = alone
  ? "Recordings stay on this machine."
  : `Recordings go to ${location.hostname} and nowhere else.`;
switchWith(document.getElementById("theme"));
document.getElementById("help").addEventListener("click", showHelp);
document.getElementById("skip").addEventListener("click", () => document.getElementById("main").focus());
window.addEventListener("hashchange", route);
route();
