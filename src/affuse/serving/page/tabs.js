// People as tabs.

import { h, newId } from "./dom.js";

/** Tabs of some names; `choose(k)` is told which one is chosen. Arrow keys go from one to the next. */
export function tabsOf(names, label, panel, choose) {
  const tabs = names.map((name, k) => h("button", { type: "button", role: "tab", id: newId("tab"), "aria-controls": panel.id, onclick: () => select(k) }, name));
  function select(k) {
    tabs.forEach((tab, j) => {
      tab.setAttribute("aria-selected", String(j === k));
      tab.tabIndex = j === k ? 0 : -1;
    });
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tabs[k].id);
    choose(k);
  }
  const element = h("div", { class: "tabs", role: "tablist", "aria-label": label, onkeydown: (event) => {
    const here = tabs.indexOf(document.activeElement);
    const to = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined || here < 0) return;
    event.preventDefault();
    const k = (to + tabs.length) % tabs.length;
    select(k);
    tabs[k].focus();
  } }, tabs);
  return { element, select };
}
