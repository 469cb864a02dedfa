// Elements without a framework, and words for screen readers.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `on...` are listeners, `style` its custom and other properties, the rest attributes. */
export function h(tag, facts = {}, ...children) {
  return filled(document.createElement(tag), facts, children);
}

/** An element of a drawing. */
export function s(tag, facts = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), facts, children);
}

function filled(element, facts, children) {
  for (const [name, value] of Object.entries(facts)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, x] of Object.entries(value)) element.style.setProperty(key, x);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A button that is one. */
export function button(text, onclick, facts = {}) {
  return h("button", { type: "button", onclick, ...facts }, text);
}

/** Say something to who does not see it. */
export function say(text) {
  const said = document.getElementById("said");
  said.textContent = "";
  requestAnimationFrame(() => { said.textContent = text; });
}

/** Show a view, and bring who uses a keyboard or a screen reader to its heading. */
export function show(title, ...children) {
  const main = document.getElementById("main");
  main.replaceChildren(...children.flat());
  document.title = title ? `${title} - affuse` : "affuse";
  const heading = main.querySelector("h1");
  heading?.setAttribute("tabindex", "-1");
  heading?.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

let count = 0;

/** An id that nothing else has. */
export function newId(word) {
  count += 1;
  return `${word}-${count}`;
}
