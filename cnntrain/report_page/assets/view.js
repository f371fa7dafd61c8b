"use strict";
const data = JSON.parse(document.getElementById("data").textContent);

function percent(value) {
  return value === null ? "-" : (100 * value).toFixed(1) + " %";
}

function picture(image, withClasses) {
  const figure = document.createElement("figure");
  const img = document.createElement("img");
  img.src = image.url;
  img.alt = "sample " + image.sample + ", " + image.true + ", predicted as " + image.predicted;
  const caption = document.createElement("figcaption");
  const lines = [image.file === null ? "sample " + image.sample : image.file];
  if (withClasses) {
    lines.push(image.predicted + ", not " + image.true);
  }
  lines.push(percent(image.confidence));
  lines.forEach((line) => {
    const div = document.createElement("div");
    div.textContent = line;
    caption.append(div);
  });
  figure.append(img, caption);
  return figure;
}

const mistakes = document.getElementById("mistakes");
if (data.mistakes.length === 0) {
  mistakes.textContent = "none";
}
data.mistakes.forEach((i) => mistakes.append(picture(data.images[i], true)));

const matrix = document.getElementById("matrix");
if (matrix !== null) {
  const rows = Array.from(matrix.tBodies[0].rows, (row) => Array.from(row.querySelectorAll("td[data-cell]")));
  const names = rows.map((row) => row[0].parentElement.cells[0].textContent);
  const panel = document.getElementById("cell");
  let chosen = null;

  const show = (row, column) => {
    const cell = rows[row][column];
    if (chosen !== null) {
      chosen.classList.remove("chosen");
      chosen.tabIndex = -1;
    }
    chosen = cell;
    cell.classList.add("chosen");
    cell.tabIndex = 0;
    const shown = data.cells[cell.dataset.cell] || [];
    const count = Number(cell.textContent || 0);
    const heading = document.createElement("p");
    heading.textContent = names[row] + ", predicted as " + names[column] + ": " + count +
      (shown.length < count ? ", of which " + shown.length + " shown" : "");
    const gallery = document.createElement("div");
    gallery.className = "gallery";
    shown.forEach((i) => gallery.append(picture(data.images[i], false)));
    panel.replaceChildren(heading, gallery);
  };

  rows.forEach((row, r) => row.forEach((cell, c) => {
    cell.addEventListener("mouseenter", () => show(r, c));
    cell.addEventListener("focus", () => show(r, c));
    cell.addEventListener("click", () => cell.focus());
    cell.addEventListener("keydown", (event) => {
      const moves = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]};
      const move = moves[event.key];
      if (move !== undefined) {
        event.preventDefault();
        const next = (rows[r + move[0]] || [])[c + move[1]];
        if (next !== undefined) {
          next.focus();
        }
      }
    });
  }));
  rows[0][0].tabIndex = 0;
}
