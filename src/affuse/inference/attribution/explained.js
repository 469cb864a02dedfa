const explained = {{ explained.data|tojson }};
let chosen = {{ explained.chosen }};
const signed = x => (x < 0 ? "\u2212" : "+") + Math.abs(x).toFixed(2);
function rest(k) {
  const row = explained.rows[k];
  return row ? "; " + data.names[chosen] + ": " + explained.modalities.map((name, i) => name + " " + signed(row[chosen][i])).join(", ") : "";
}
for (const button of document.querySelectorAll(".choice button"))
  button.addEventListener("click", () => {
    chosen = Number(button.dataset.output);
    for (const other of document.querySelectorAll(".choice button")) other.setAttribute("aria-pressed", other === button);
    for (const part of document.querySelectorAll(".why [data-of]")) part.toggleAttribute("hidden", part.dataset.of !== button.dataset.output);
  });
