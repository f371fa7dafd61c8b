// The page itself: a map of the network, the tables of one layer, and the arithmetic of the number pointed at.

const TEXTS = DATA.texts;
const COLUMNS = 10; // of a vector
const TINY = 12; // from this many columns on, cells have colors only
const MAX_TERMS = 48;
const state = { language: DATA.language, entry: 0, filter: 0, channel: 0, key: null };
let cells = new Map();

const t = (key, values) => {
  const text = (TEXTS[key] || { en: key, zh: key })[state.language];
  return text.replace(/\{(\w+)\}/g, (whole, name) => (values && name in values ? String(values[name]) : whole));
};
const short = (v, digits) => {
  if (v === 0 || Number.isInteger(v)) return String(v);
  const size = Math.abs(v);
  return size >= 1e-3 && size < 1e5 ? String(Number(v.toPrecision(digits))) : v.toExponential(Math.max(0, digits - 2));
};
/** The name of an entry, which has words where it is an example. */
const named = (e) => (`formula: ${e.name}` in TEXTS ? t(`formula: ${e.name}`) : e.name);
const NAMES = {
  delta: "δ", dx: "∂J/∂x", dW: "∂J/∂W", db: "∂J/∂b", dgamma: "∂J/∂γ", gamma: "γ",
  branch: "F(x)", dx_branch: "∂J/∂x(F)", dx_shortcut: "∂J/∂x(shortcut)",
};
const called = (name) => NAMES[name] || name;
const OF_SAMPLES = ["x", "z", "a", "delta", "dx", "mask", "branch", "shortcut", "dx_branch", "dx_shortcut"];

/** A number by its name, as the terminal has it: without the sample where there is only one. */
function label(entry, name, index) {
  const single = OF_SAMPLES.includes(name) && entry.t[name].shape[0] === 1;
  return `${called(name)}[${(single ? index.slice(1) : index).join(",")}]`;
}

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, content] of Object.entries(attributes || {})) element.setAttribute(name, content);
  element.append(...children);
  return element;
}

/** A formula: MathML of the program, never text of a user. */
function formula(text) {
  const span = make("span", { class: "formula" });
  span.innerHTML = text;
  return span;
}

const keyOf = (entry, name, index) => `${ENTRIES.indexOf(entry)}|${name}|${index.join(",")}`;

/** Present channels or units of an array: those with a number on the page. */
function present(tensor, axis) {
  const found = [];
  const after = tensor.shape.slice(axis + 1).reduce((product, side) => product * side, 1);
  const before = tensor.shape.slice(0, axis).reduce((product, side) => product * side, 1);
  for (let i = 0; i < tensor.shape[axis]; i++) {
    let some = false;
    for (let b = 0; b < before && !some; b++) {
      for (let a = 0; a < after && !some; a++) some = !Number.isNaN(tensor.data[(b * tensor.shape[axis] + i) * after + a]);
    }
    if (some) found.push(i);
  }
  return found;
}

/** The entry with the largest magnitude along an axis, of the first sample where samples come first. */
function strongest(tensor, axis, among) {
  let [best, largest] = [among[0] || 0, -1];
  const index = (offset) => tensor.index(offset);
  const sizes = new Map(among.map((i) => [i, 0]));
  const limit = axis === 1 ? tensor.size / tensor.shape[0] : tensor.size;
  for (let offset = 0; offset < limit; offset++) {
    const i = index(offset)[axis];
    const size = Math.abs(tensor.data[offset]);
    if (sizes.has(i) && size > sizes.get(i)) sizes.set(i, size);
  }
  for (const [i, size] of sizes) if (size > largest) [best, largest] = [i, size];
  return best;
}

/** Rows of indices of a slice: an image's channel, or a vector in rows of COLUMNS. */
function slice(tensor, first, wrapped) {
  const sides = tensor.shape.slice(first.length);
  if (sides.length === 2) {
    return Array.from({ length: sides[0] }, (_, r) => Array.from({ length: sides[1] }, (_, c) => [...first, r, c]));
  }
  const count = sides.reduce((product, side) => product * side, 1);
  const base = tensor.offset([...first, ...sides.map(() => 0)]);
  const all = Array.from({ length: count }, (_, i) => tensor.index(base + i)).filter((index) => !Number.isNaN(tensor.get(index)));
  const rows = [];
  for (let i = 0; i < all.length; i += wrapped || COLUMNS) rows.push(all.slice(i, i + (wrapped || COLUMNS)));
  return rows;
}

/** A table of numbers with heat colors; what the page leaves out is left out of the table, too. */
function grid(entry, name, first, title, options) {
  const tensor = entry.t[name];
  if (!tensor) return "";
  let rows = (options && options.rows) || slice(tensor, first);
  const image = tensor.shape.length - first.length === 2;
  rows = rows.filter((row) => row.some((index) => !Number.isNaN(tensor.get(index))));
  if (!rows.length) return "";
  if (image) {
    const kept = rows[0].map((_, c) => rows.some((row) => !Number.isNaN(tensor.get(row[c]))));
    rows = rows.map((row) => row.filter((_, c) => kept[c]));
  }
  const numbers = rows.flat().map((index) => tensor.get(index)).filter((v) => !Number.isNaN(v));
  const largest = Math.max(...numbers.map(Math.abs)) || 1;
  const tiny = image && rows[0].length > TINY;
  const table = make("table", { class: tiny ? "tiny" : "", role: "grid", "data-array": name });
  const total = tensor.shape.slice(first.length).reduce((product, side) => product * side, 1);
  const caption = make("caption", {}, title);
  if (numbers.length < total) {
    const [top, last] = [rows[0][0].slice(-2), rows[rows.length - 1].slice(-1)[0].slice(-2)];
    const where = { top: top[0], bottom: last[0], left: top[1], right: last[1] };
    const part = image ? t("page_window", where) : t("page_part", { shown: numbers.length, all: total });
    caption.append(make("small", {}, ` ${part}`));
  }
  table.append(caption);
  for (const row of rows) {
    const line = make("tr", { role: "row" });
    for (const index of row) {
      const v = tensor.get(index);
      const td = make("td", { role: "gridcell", tabindex: "-1", class: v < 0 ? "negative" : "positive" });
      if (!Number.isNaN(v)) {
        td.dataset.key = keyOf(entry, name, index);
        td.style.setProperty("--heat", `${Math.round((70 * Math.abs(v)) / largest)}%`);
        td.textContent = tiny ? "" : short(v, innerWidth < 600 ? 2 : 3);
        td.setAttribute("aria-label", `${label(entry, name, index)} = ${short(v, 6)}`);
        const known = cells.get(td.dataset.key) || [];
        cells.set(td.dataset.key, [...known, td]);
      }
      line.append(td);
    }
    table.append(line);
  }
  const firstCell = table.querySelector("td[data-key]");
  if (firstCell) firstCell.tabIndex = 0;
  return make("div", { class: "frame" }, table);
}

/** A table without arithmetic, for comparison. */
function derived(rows, title) {
  const largest = Math.max(...rows.flat().map(Math.abs)) || 1;
  const tiny = rows[0].length > TINY;
  const table = make("table", { class: tiny ? "tiny derived" : "derived" }, make("caption", {}, title));
  for (const row of rows) {
    const line = make("tr");
    for (const v of row) {
      const td = make("td", { class: v < 0 ? "negative" : "positive" }, tiny ? "" : short(v, 3));
      td.style.setProperty("--heat", `${Math.round((70 * Math.abs(v)) / largest)}%`);
      line.append(td);
    }
    table.append(line);
  }
  return make("div", { class: "frame" }, table);
}

/** upsample(delta) as the other type of pool would do it. */
function averaged(e, c) {
  const [rows, columns] = e.window;
  const result = Array.from({ length: e.t.x.shape[2] }, () => new Array(e.t.x.shape[3]).fill(0));
  for (let i = 0; i < e.t.delta.shape[2]; i++) {
    for (let j = 0; j < e.t.delta.shape[3]; j++) {
      const share = e.t.delta.get([0, c, i, j]) / (rows * columns);
      for (let p = 0; p < rows; p++) {
        for (let q = 0; q < columns; q++) {
          const [r, s] = [e.S * i + p - e.P, e.S * j + q - e.P];
          if (!outside(e.t.x, r, s)) result[r][s] += share;
        }
      }
    }
  }
  return result;
}

/** The sections of an entry: title, formulas, tables. */
function sections(e) {
  const [k, c] = [state.filter, state.channel];
  const image = e.t.delta && e.t.delta.shape.length === 4;
  const of = (name) => grid(e, name, image ? [0, k] : [0], image ? `${called(name)}[${k}]` : called(name));
  const vector = (name) => grid(e, name, [], called(name));
  const F = e.formulas;
  switch (e.type) {
    case "conv": {
      const W = e.t.W;
      const turned = slice(W, [k, c]).reverse().map((row) => row.reverse());
      return [
        ["forward", F.forward, [
          grid(e, "x", [0, c], `x[${c}]`), grid(e, "W", [k, c], `W[${k},${c}]`), vector("b"), of("z"), of("a"),
        ]],
        ["backward", F.backward, [
          of("delta"), grid(e, "W", [k, c], `rot180(W[${k},${c}])`, { rows: turned }), grid(e, "dx", [0, c], `∂J/∂x[${c}]`),
        ]],
        ["dW", F.dW, [grid(e, "dW", [k, c], `∂J/∂W[${k},${c}]`), vector("db")]],
      ];
    }
    case "pool":
      return [
        ["forward", F.forward, [of("x"), of("a")]],
        ["backward", F.backward, [
          of("delta"), of("dx"), e.max && !e.cut ? derived(averaged(e, k), t("page_by_average")) : "",
        ]],
      ];
    case "fc":
      return [
        ["forward", F.forward, [
          grid(e, "x", [0], "x"), grid(e, "W", [k], `W[${k}]`), vector("b"), of("z"), of("a"),
        ]],
        ["backward", F.backward, [of("delta"), grid(e, "dx", [0], "∂J/∂x")]],
        ["dW", F.dW, [grid(e, "dW", [k], `∂J/∂W[${k}]`), vector("db")]],
      ];
    case "batch_norm":
      return [
        ["forward", F.forward, [of("x"), vector("mean"), vector("var"), vector("gamma"), vector("b"), of("z"), of("a")]],
        ["backward", F.backward, [of("delta"), of("dx")]],
        ["dgamma", F.dgamma, [vector("dgamma"), vector("db")]],
      ];
    case "dropout":
      return [["forward", F.forward, [of("x"), of("mask"), of("a")]], ["backward", F.backward, [of("delta"), of("dx")]]];
    case "residual":
      return [
        ["forward", F.forward, [of("branch"), of("shortcut"), of("z"), of("a")]],
        ["backward", F.backward, [of("delta"), grid(e, "dx_branch", [0, c], `∂J/∂x(F)[${c}]`), grid(e, "dx_shortcut", [0, c], `∂J/∂x(shortcut)[${c}]`), grid(e, "dx", [0, c], `∂J/∂x[${c}]`)]],
      ];
    default:
      return [
        ["forward", F.forward, [of("x"), e.t.b ? vector("b") : "", of("z"), of("a")]],
        ["backward", F.backward, [of("delta"), of("dx"), e.t.db ? vector("db") : ""]],
      ];
  }
}

/** The table of classes, where the loss begins. */
function lossSection(e) {
  const size = e.t.a.size / e.t.a.shape[0];
  const head = make("tr", {}, ...[t("class_name"), "z", "a", "y", "δ"].map((text) => make("th", {}, text)));
  const table = make("table", { class: "classes" }, head);
  const order = [...Array(size).keys()].sort((i, j) => e.t.a.data[j] - e.t.a.data[i]).slice(0, 20);
  if (!order.includes(DATA.objective.labels[0])) order.push(DATA.objective.labels[0]);
  for (const j of order) {
    const row = make("tr", { class: j === DATA.objective.labels[0] ? "label" : "" });
    row.append(make("th", {}, j in DATA.classes ? DATA.classes[j] : String(j)));
    for (const name of ["z", "a", null, "delta"]) {
      const v = name === null ? target(0, j) : name in e.t ? e.t[name].data[j] : NaN;
      const td = make("td", {}, Number.isNaN(v) ? "" : short(v, 4));
      if (name !== null && !Number.isNaN(v)) {
        td.dataset.key = keyOf(e, name, e.t[name].index(j));
        td.tabIndex = -1;
        cells.set(td.dataset.key, [...(cells.get(td.dataset.key) || []), td]);
      }
      row.append(td);
    }
    table.append(row);
  }
  const section = make("section", {}, make("h3", {}, t("loss")), formula(DATA.loss_formula), make("div", { class: "frame" }, table));
  if (size > order.length) section.append(make("p", {}, t("class_rows", { left_out: size - order.length })));
  if (DATA.objective.loss === "cross_entropy") section.append(make("p", {}, t("a_minus_y")));
  return section;
}

function chooser(key, options, current, change) {
  const select = make("select", { id: `choose-${key}` });
  for (const i of options) {
    const option = make("option", { value: String(i) }, String(i));
    if (i === current) option.selected = true;
    select.append(option);
  }
  select.addEventListener("change", () => change(Number(select.value)));
  return make("label", {}, `${t(key)} `, select);
}

function title(e) {
  const input = e.input.join(" × ");
  const output = e.output.join(" × ");
  return `${DATA.examples ? named(e) : `layers[${e.name}]`} ${e.kind}: ${input} → ${output}`;
}

function renderEntry() {
  const e = ENTRIES[state.entry];
  cells = new Map();
  const main = document.getElementById("main");
  main.replaceChildren(make("h2", {}, title(e)));
  if (!e.t.delta) {
    main.append(make("p", {}, t("page_nothing")));
    return;
  }
  const choosers = make("div", { class: "choosers" });
  const outputs = present(e.t.a, 1);
  if (outputs.length > 1) {
    choosers.append(chooser(e.type === "conv" ? "page_filter" : e.t.delta.shape.length === 4 ? "page_channel" : "page_unit", outputs, state.filter, (i) => choose({ filter: i })));
  }
  if (e.type === "conv" || e.type === "residual") {
    const channels = present(e.t.dx, 1);
    if (channels.length > 1) choosers.append(chooser("page_input_channel", channels, state.channel, (i) => choose({ channel: i })));
  }
  main.append(choosers);
  if (e.cut) main.append(make("p", { class: "note" }, t("page_cut")));
  for (const [name, formulas, tables] of sections(e)) {
    const section = make("section", { class: name }, make("h3", {}, t(name)));
    if (formulas) section.append(formula(formulas));
    section.append(make("div", { class: "tables" }, ...tables.filter((table) => table !== "")));
    main.append(section);
    if (name === "forward" && e.after === null && !e.alone) main.append(lossSection(e));
  }
  for (const remark of e.remarks || []) main.append(make("p", { class: "note" }, t(remark)));
  const wanted = state.key && cells.has(state.key) ? state.key : null;
  if (wanted) show(wanted);
  else document.getElementById("arithmetic").replaceChildren(make("p", {}, t("page_hint")));
}

function choose(change) {
  Object.assign(state, change);
  renderEntry();
}

function go(position) {
  const e = ENTRIES[position];
  state.entry = position;
  state.key = null;
  if (e.t.delta) {
    const outputs = present(e.t.a, 1);
    state.filter = strongest(e.t.delta, 1, outputs);
    state.channel = e.t.dx && e.t.dx.shape.length === 4 ? strongest(e.t.dx, 1, present(e.t.dx, 1)) : 0;
  }
  renderMap();
  renderEntry();
}

/** A small picture of an array's strongest channel. */
function thumbnail(tensor) {
  const canvas = make("canvas", { width: "40", height: "40", "aria-hidden": "true" });
  if (!tensor) return canvas;
  const image = tensor.shape.length === 4;
  const [H, W] = image ? tensor.shape.slice(2) : [1, tensor.shape[1]];
  canvas.width = W;
  canvas.height = H;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(W, H);
  const base = image ? tensor.offset([0, strongest(tensor, 1, present(tensor, 1)), 0, 0]) : 0;
  const values = tensor.data.slice(base, base + H * W);
  const shown = values.filter((v) => !Number.isNaN(v));
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  values.forEach((v, i) => {
    const level = Number.isNaN(v) ? 0 : Math.round((255 * (v - low)) / (high - low || 1));
    pixels.data.set([level, level, level, Number.isNaN(v) ? 0 : 255], 4 * i);
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}

function renderMap() {
  const list = make("ol");
  ENTRIES.forEach((e, position) => {
    const button = make("button", { type: "button", "data-position": String(position) });
    button.append(make("b", {}, `${named(e)} ${e.kind}`), make("span", {}, e.output.join("×")), thumbnail(e.t.a));
    if (position === state.entry) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => {
      location.hash = String(position);
      go(position);
      const again = document.querySelector(`#map button[data-position="${position}"]`);
      if (again) again.focus();
    });
    list.append(make("li", { class: e.inside ? "inside" : "" }, button));
  });
  const map = document.getElementById("map");
  map.className = DATA.examples ? "apart" : "";
  map.replaceChildren(list);
}

function renderHeader() {
  document.documentElement.lang = state.language;
  const header = DATA.header;
  const lines = document.getElementById("facts");
  lines.replaceChildren();
  if (DATA.examples) {
    for (const key of ["examples_numbers", "misprint_upsample", "misprint_delta", "misprint_rot180"]) lines.append(make("p", {}, t(key)));
  } else {
    lines.append(make("p", {}, t("labeled", { label: header.source, text: t("sample_line", { ...header, split: t(`split_${header.split}`) }) })));
    if (header.file) lines.append(make("p", {}, t("file_line", header)));
    const best = header.best;
    const values = { label: header.label, prediction: header.prediction, J: short(header.loss, 4), percent: (100 * best).toFixed(1), value: short(best, 4) };
    lines.append(make("p", {}, t(header.probabilities ? "result_line" : "value_line", values)));
    if (header.penalty) lines.append(make("p", {}, t("penalty_line", { penalty: short(header.penalty, 4) })));
    for (const remark of header.remarks) lines.append(make("p", {}, t(remark.text, remark)));
  }
  document.getElementById("title").textContent = t(DATA.examples ? "page_examples" : "page_title");
  document.getElementById("language").textContent = state.language === "en" ? "中文" : "English";
  document.getElementById("theme").textContent = t("page_theme");
  document.getElementById("legend").textContent = t("page_legend");
  document.getElementById("map").setAttribute("aria-label", t("page_map"));
}

function renderChecked() {
  const values = {
    numbers: CHECK.numbers.toLocaleString("en-US"),
    difference: CHECK.worst.toExponential(1),
    left: CHECK.left.toLocaleString("en-US"),
  };
  const footer = document.getElementById("checked");
  footer.replaceChildren(make("p", { class: CHECK.worst <= DATA.tolerance ? "right" : "wrong" }, t("page_checked", values)));
  if (CHECK.left) footer.append(make("p", {}, t("page_left", values)));
  if (CHECK.worst > DATA.tolerance) footer.append(make("p", { class: "wrong" }, t("page_wrong", { where: CHECK.where })));
  footer.dataset.numbers = String(CHECK.numbers);
  footer.dataset.difference = String(CHECK.worst);
  footer.dataset.left = String(CHECK.left);
}

/** Which arithmetic belongs to a number pointed at. */
const SHOWN = { x: ["dx"], a: ["z", "a"], W: ["dW"], b: ["db"], gamma: ["dgamma"], winner: [] };

/** Light what belongs to the number pointed at, and write out its arithmetic. */
function show(key) {
  for (const td of document.querySelectorAll(".lit, .lit-back, .here")) td.classList.remove("lit", "lit-back", "here");
  state.key = key;
  const [position, name, text] = key.split("|");
  const e = ENTRIES[Number(position)];
  const index = text.split(",").map(Number);
  for (const td of cells.get(key) || []) td.classList.add("here");
  const box = document.getElementById("arithmetic");
  box.replaceChildren();
  for (const other of SHOWN[name] || [name]) {
    if (!e.t[other]) continue;
    const way = wayOf(e, other, index);
    if (way) {
      light(way);
      box.append(written(e, other, index, way));
    }
  }
  if (name === "x" && (e.type === "conv" || e.type === "pool")) lightReaders(e, index);
  const parameter = { W: "W", dW: "W", b: "b", db: "b", gamma: "gamma", dgamma: "gamma" }[name];
  if (parameter && DATA.step && e.t[`new.${parameter}`]) box.append(stepLine(e, parameter, index));
  if (!box.childNodes.length) box.append(make("p", {}, `${label(e, name, index)} = ${short(e.t[name].get(index), 6)} ${t("page_given")}`));
}

function light(way) {
  for (const group of way.groups) {
    for (const term of group.terms) {
      for (const factor of term) if (factor.entry) lit(factor, "lit");
    }
  }
  for (const summand of way.plus || []) if (summand.entry) lit(summand, "lit");
}

function lit(factor, style) {
  for (const td of cells.get(keyOf(factor.entry, factor.name, factor.index)) || []) td.classList.add(style);
}

/** Light the outputs whose windows hold a pixel. */
function lightReaders(e, [n, c, r, s]) {
  const name = e.t.z ? "z" : "a";
  const k = e.type === "conv" ? state.filter : c;
  for (const [i, j] of reading(e, r, s, e.t.delta)) lit({ entry: e, name, index: [n, k, i, j] }, "lit-back");
}

const product = (term) => term.map((f) => (f.v < 0 ? `(${short(f.v, 4)})` : short(f.v, 4))).join("·");
const sumOf = (terms) => terms.reduce((sum, term) => sum + term.reduce((p, f) => p * f.v, 1), 0);

/** One number as its sum. */
function written(e, name, index, way) {
  const line = make("p");
  const target = label(e, name, index);
  line.append(make("b", {}, `${target} = ${way.expr}`), make("br"));
  const chosen = { channel: state.channel, filter: state.filter, sample: 0 };
  const groups = way.groups.filter((group) => group.terms.length);
  const first = (group) => groups.length === 1 || group.n === null || group.n === chosen[group.label];
  for (const group of groups.filter(first)) {
    const terms = group.terms.length > 9 ? group.terms.filter((term) => term.some((f) => f.v !== 0) && sumOf([term]) !== 0) : group.terms;
    const sign = way.list ? ", " : " + ";
    let text = terms.slice(0, MAX_TERMS).map(product).join(sign) || "0";
    if (terms.length > MAX_TERMS) text += ` ${t("more_terms", { count: terms.length - MAX_TERMS, value: short(sumOf(terms.slice(MAX_TERMS)), 4) })}`;
    if (terms.length < group.terms.length) text += t("in_parentheses", { text: t("zeros", { count: group.terms.length - terms.length }) });
    const labeled = group.label && (groups.length > 1 || group.n === null) ? t("labeled", { label: t(group.label, { n: group.n }), text }) : text;
    line.append(make("span", { class: "terms" }, labeled));
    if (groups.length > 1) line.append(` = ${short(sumOf(group.terms), 4)}`);
    line.append(make("br"));
  }
  const rest = groups.filter((group) => !first(group));
  if (rest.length) {
    const few = rest.slice(0, 12).map((group) => t("labeled", { label: t(group.label, { n: group.n }), text: short(sumOf(group.terms), 4) }));
    if (rest.length > 12) few.push(t("more_groups", { count: rest.length - 12, value: short(sumOf(rest.slice(12).flatMap((g) => g.terms)), 4) }));
    line.append(make("span", { class: "terms" }, few.join(t("separator"))), make("br"));
  }
  for (const summand of way.plus || []) line.append(`+ ${called(summand.name)} ${short(summand.v, 4)} `);
  const computed = value(way);
  const shown = e.t[name].get(index);
  line.append(make("b", { class: "result" }, `= ${Number.isNaN(computed) ? short(shown, 6) : short(computed, 6)}`));
  line.append(" ", make("small", {}, Number.isNaN(computed) ? t("page_not_all") : t("page_difference", { difference: Math.abs(computed - shown).toExponential(1) })));
  return line;
}

/** The step of a parameter. */
function stepLine(e, key, index) {
  const s = DATA.step;
  const step = stepOf(e, key, index);
  const at = `[${index.join(",")}]`;
  const parts = [t("labeled", { label: t("step"), text: `${called(key)}${at} = ${short(e.t[key].get(index), 6)}` }), `g = ${short(step.g, 4)}`, `α = ${short(s.alpha, 4)}`];
  s.letters.forEach((letter, i) => parts.push(`${letter}: ${short(e.t[`${letter}.${key}`].get(index), 4)} → ${short(step.states[i], 4)}`));
  const line = make("p", {}, parts.join(", "), make("br"));
  line.append(make("b", { class: "result" }, `${called(key)}${at} ← ${key === "b" || key === "gamma" ? s.formula.replace(/W/g, called(key)) : s.formula} = ${short(step.next, 6)}`));
  return line;
}

/** Arrow keys move within a table. */
function move(event) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const td = event.target.closest("td[data-key]");
  if (!td || !(event.key in steps)) return;
  event.preventDefault();
  const [down, right] = steps[event.key];
  const row = td.parentElement;
  const rows = [...row.parentElement.children].filter((child) => child.tagName === "TR");
  const next = rows[rows.indexOf(row) + down];
  const other = next && next.children[[...row.children].indexOf(td) + right];
  if (!other || !other.dataset.key) return;
  td.tabIndex = -1;
  other.tabIndex = 0;
  other.focus();
}

const CHECK = recompute();

document.getElementById("main").addEventListener("mouseover", (event) => {
  const td = event.target.closest("td[data-key]");
  if (td) show(td.dataset.key);
});
document.getElementById("main").addEventListener("focusin", (event) => {
  const td = event.target.closest("td[data-key]");
  if (td) show(td.dataset.key);
});
document.getElementById("main").addEventListener("keydown", move);
document.getElementById("language").addEventListener("click", () => {
  state.language = state.language === "en" ? "zh" : "en";
  renderHeader();
  renderMap();
  renderEntry();
  renderChecked();
});
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
addEventListener("hashchange", () => {
  const position = Number(location.hash.slice(1));
  if (Number.isInteger(position) && position in ENTRIES && position !== state.entry) go(position);
});

renderHeader();
renderChecked();
const asked = Number(location.hash.slice(1) || DATA.start);
go(Number.isInteger(asked) && asked in ENTRIES ? asked : DATA.start);
if (DATA.asked && state.entry === DATA.start) {
  const { filter, at } = DATA.asked;
  const e = ENTRIES[state.entry];
  if (filter !== null && e.t.a && present(e.t.a, 1).includes(filter)) choose({ filter });
  if (at) {
    const own = e.type === "conv" || e.type === "residual" ? state.channel : state.filter;
    const index = e.t.x && e.t.x.shape.length === 4 ? [0, own, ...at] : [0, ...at];
    const key = keyOf(e, "x", index);
    if (cells.has(key)) show(key);
  }
}
