// The token of the server, which is asked for once and forgotten with the tab.

import { h, button } from "./dom.js";

const KEY = "affuse.token";
let asked = null;

/** The header that shows the token, where there is one. */
export function authorization() {
  const token = sessionStorage.getItem(KEY);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** Ask for the token; who asks while somebody is asked waits for the same answer. */
export function askToken() {
  asked ??= answer().finally(() => { asked = null; });
  return asked;
}

function answer() {
  const wrong = sessionStorage.getItem(KEY) !== null;
  const field = h("input", { id: "token", type: "password", required: true, autocomplete: "off", "aria-describedby": "token-why" });
  const dialog = h("dialog", { "aria-labelledby": "token-title" },
    h("form", { method: "dialog" },
      h("h2", { id: "token-title" }, "This server asks for a token"),
      h("p", { id: "token-why" }, wrong ? "That token is wrong. " : "", "Whoever runs the server has it. It is kept until you close this tab."),
      h("label", { for: "token" }, "Token"), field,
      h("p", { class: "buttons" }, button("Continue", () => {}, { type: "submit", value: "given", class: "strong" }))));
  return new Promise((done, failed) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (dialog.returnValue !== "given") return failed(new Error("Without the token the server answers nothing."));
      sessionStorage.setItem(KEY, field.value.trim());
      done();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
