// Light, dark, or as the system says.

const KEY = "affuse.theme";
const NAMES = { auto: "system", light: "light", dark: "dark" };

/** Let a button go through the themes; the choice is kept in this browser. */
export function switchWith(button) {
  const set = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    localStorage.setItem(KEY, theme);
    button.textContent = `Theme: ${NAMES[theme]}`;
  };
  const order = Object.keys(NAMES);
  const kept = localStorage.getItem(KEY);
  let now = order.includes(kept) ? kept : "auto";
  set(now);
  button.addEventListener("click", () => {
    now = order[(order.indexOf(now) + 1) % order.length];
    set(now);
  });
}
