"use strict";
// The page is complete without this file: it adds a crosshair to the charts and sorting to the request table.

const SVG = "http://www.w3.org/2000/svg";

function readableChart(figure) {
  const table = figure.parentElement.querySelector("table.data");
  const plot = figure.querySelector("svg.plot");
  const cross = document.createElementNS(SVG, "line");
  cross.setAttribute("class", "cross");
  cross.setAttribute("y2", "100%");
  plot.append(cross);
  // A browser shows an SVG's title over the crosshair; as a label it stays for screen readers alone.
  const title = plot.querySelector("title");
  plot.setAttribute("aria-label", title.textContent);
  plot.removeAttribute("aria-labelledby");
  title.remove();
  return {
    plot,
    cross,
    end: Number(figure.dataset.endS),
    readout: figure.querySelector(".readout"),
    names: [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent),
    rows: [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent.trim())),
  };
}

function clock(seconds) {
  const whole = Math.round(seconds);
  const two = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

function nearestRow(rows, seconds) {
  let low = 0;
  let high = rows.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (Number(rows[middle][0]) < seconds) low = middle + 1;
    else high = middle;
  }
  const before = rows[low - 1];
  return before && seconds - Number(before[0]) < Number(rows[low][0]) - seconds ? before : rows[low];
}

function point(chart, seconds) {
  const row = nearestRow(chart.rows, seconds);
  const at = `${(100 * seconds) / chart.end}%`;
  chart.cross.setAttribute("x1", at);
  chart.cross.setAttribute("x2", at);
  chart.cross.classList.add("shown");
  chart.readout.textContent = [clock(Number(row[0]))]
    .concat(chart.names.map((name, i) => `${name} ${row[i + 1]}`))
    .join("   ");
}

function hide(chart) {
  chart.cross.classList.remove("shown");
  chart.readout.textContent = "";
}

const charts = [...document.querySelectorAll("figure[data-end-s]")].map(readableChart);
for (const { plot, end } of charts) {
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const fraction = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    charts.forEach((chart) => point(chart, fraction * end));
  });
  plot.addEventListener("pointerleave", () => charts.forEach(hide));
}

function sortValue(cell) {
  if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
  const text = cell.textContent.trim();
  const number = Number(text.replaceAll(",", ""));
  return text === "–" ? -Infinity : Number.isNaN(number) ? text : number;
}

function sortBy(table, heading) {
  const index = heading.cellIndex;
  const numeric = heading.classList.contains("number");
  const descending = heading.ariaSort ? heading.ariaSort !== "descending" : numeric;
  const sign = descending ? -1 : 1;
  const compare = (a, b) => {
    const [x, y] = [sortValue(a.cells[index]), sortValue(b.cells[index])];
    return sign * (numeric ? x - y || 0 : String(x).localeCompare(String(y)));
  };
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const heading of table.tHead.rows[0].cells) {
    if (heading.classList.contains("unsorted")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => sortBy(table, heading));
  }
}
