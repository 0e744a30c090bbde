"use strict";
// Tables sort by a click on a column's head: numbers as numbers, "–" and empty cells last.
const numberOf = (text) => {
  const plain = text.replace(/[,%\s]/g, "").replace("−", "-");
  return plain === "" || Number.isNaN(Number(plain)) ? null : Number(plain);
};
const compare = (a, b) => {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== null && y !== null) return x - y;
  if (x !== null || y !== null) return x !== null ? -1 : 1;
  return a.localeCompare(b);
};
document.addEventListener("click", (event) => {
  const button = event.target.closest("th button");
  if (button) {
    const head = button.closest("th");
    const body = head.closest("table").tBodies[0];
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => row.cells[head.cellIndex].textContent.trim();
    const rows = [...body.rows].sort((a, b) => compare(key(a), key(b)));
    body.append(...(down ? rows.reverse() : rows));
  }
  const zoom = event.target.closest("button.zoom");
  if (zoom) zoom.setAttribute("aria-expanded", String(zoom.closest(".cell").classList.toggle("large")));
  const copy = event.target.closest("button.copy");
  if (copy) {
    const range = document.createRange();
    range.selectNodeContents(copy.parentElement.querySelector("code"));
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    copy.textContent = document.execCommand("copy") ? "copied" : "selected";
  }
});
// One player at a time.
document.addEventListener("play", (event) => {
  for (const player of document.querySelectorAll("audio")) if (player !== event.target) player.pause();
}, true);
