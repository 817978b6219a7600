"use strict";
// What the page does beyond showing itself: sorting, filtering, figures, pictures of cases. Its data
// stand in the script elements of type application/json. Every text from outside is set as
// textContent, never as markup.

const $ = (id) => document.getElementById(id);
const read = (id) => JSON.parse($(id).textContent);
const data = read("data");
const dark = matchMedia("(prefers-color-scheme: dark)");

// ---- Small helpers -------------------------------------------------------------------------------

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const isKnown = (value) => value !== null && value !== undefined;
const fixed = (digits) => (v) => (isKnown(v) ? v.toFixed(digits) : "-");
const percent = (v) => (isKnown(v) ? `${Math.round(100 * v)}%` : "-");
const share = (v) => {  // with decimals where it would else look like none or all
  let decimals = 0;
  while (decimals < 4 && v > 0 && v < 1 && [0, 100].includes(Number((100 * v).toFixed(decimals)))) decimals += 1;
  return isKnown(v) ? `${(100 * v).toFixed(decimals)}%` : "-";
};
const scores = data.scores;
const median = (values) => {
  const known = values.filter(isKnown).sort((a, b) => a - b);
  const middle = known.length >> 1;
  if (!known.length) return null;
  return known.length % 2 ? known[middle] : (known[middle - 1] + known[middle]) / 2;
};

/** Compare for sorting: numbers or texts, what is not known last whatever the direction. */
function compare(a, b, down) {
  if (!isKnown(a) || !isKnown(b)) return isKnown(b) - isKnown(a);
  const order = typeof a === "string" ? a.localeCompare(b) : a - b;
  return down ? -order : order;
}

// ---- The state of the view is in the address -----------------------------------------------------

const state = {};

function readAddress() {
  for (const key of Object.keys(state)) delete state[key];
  const words = new URLSearchParams(location.hash.slice(1));
  for (const [key, value] of words) if (value) state[key] = value;
  return [...words].find(([, value]) => !value)?.[0];  // a word without a value is a place
}

/** Change the state ("" takes a key out), write it into the address, and show it. */
function set(changes) {
  for (const [key, value] of Object.entries(changes)) {
    if (value === "" || value === null) delete state[key];
    else state[key] = String(value);
  }
  history.replaceState(null, "", `#${new URLSearchParams(state)}`);
  show();
}

function show() {
  showLeaderboard();
  showCases();
  showMenus();
}

// ---- Leaderboard ---------------------------------------------------------------------------------

const FORMATS = {
  rank: String, mse: fixed(1), group: (v) => v || "-", median: fixed(1), psnr: fixed(2),
  won: percent, coverage: share,
};
const column = (name) => data.views.columns.indexOf(name);
const rows = [...$("leaderboard").tBodies[0].rows];
const fixedValues = rows.map((row) => ({
  method: data.methods[row.dataset.method],
  family: data.families[row.dataset.method],
  ms: row.dataset.ms ? Number(row.dataset.ms) : null,
  ms_batch: row.dataset.batch ? Number(row.dataset.batch) : null,
}));
const filterNames = Object.keys(data.views.filters);

/** The leaderboard of what is chosen; undefined if no case is, or it was not computed. */
const chosenBoard = () => data.views.boards[filterNames.map((name) => state[name] ?? "").join("\n")];

function showLeaderboard() {
  const board = chosenBoard();
  for (const name of [...filterNames, "family"]) if ($(`by-${name}`)) $(`by-${name}`).value = state[name] ?? "";
  const values = rows.map((row, k) => ({ ...fixedValues[k], ...named(board, row.dataset.method) }));
  const ends = scaleOf(values);
  rows.forEach((row, k) => fillRow(row, values[k], ends));
  sortRows(values);
  const shown = rows.filter((row) => !row.hidden).length;
  $("chosen").textContent = board
    ? `${board.cases.toLocaleString("en")} cases of ${board.photographs.toLocaleString("en")} photographs, ${shown} of ${rows.length} methods.`
    : "No case is of all these kinds, or the choice was not computed: choose fewer filters at a time.";
}

function named(board, method) {
  const row = board ? board.rows[method] : [];
  return Object.fromEntries(data.views.columns.map((name, k) => [name, row[k] ?? null]));
}

/** Ends of the logarithmic scale of the bars. */
function scaleOf(values) {
  const known = values.filter((v) => isKnown(v.mse));
  const least = Math.max(Math.min(...known.map((v) => v.mse)), 0.1);
  const lows = known.map((v) => Math.max(v.low ?? v.mse, least / 3));
  return [Math.log(Math.min(...lows)), Math.log(Math.max(...known.map((v) => v.high ?? v.mse), least * 1.1))];
}

function fillRow(row, values, ends) {
  for (const cell of row.cells) {
    const key = cell.dataset.key;
    if (key === "interval") {
      cell.textContent = isKnown(values.low) ? `${values.low.toFixed(1)} to ${values.high.toFixed(1)}` : "-";
    } else if (key === "bar") drawBar(cell, values, ends);
    else if (FORMATS[key]) cell.textContent = isKnown(values[key]) ? FORMATS[key](values[key]) : "-";
  }
  row.hidden = Boolean(state.family) && values.family !== state.family;
  row.classList.toggle("alike", (values.group ?? "").split("-")[0] === "a");
  row.classList.toggle("first", values.rank === 1 && isKnown(values.mse));
}

function drawBar(cell, values, [low, high]) {
  const [line, mark] = cell.querySelectorAll("line, rect");
  const place = (v) => 2 + 96 * Math.min(Math.max((Math.log(Math.max(v, 1e-9)) - low) / (high - low), 0), 1);
  cell.firstElementChild.style.visibility = isKnown(values.mse) ? "visible" : "hidden";
  if (!isKnown(values.mse)) return;
  line.setAttribute("x1", place(values.low ?? values.mse));
  line.setAttribute("x2", place(values.high ?? values.mse));
  mark.setAttribute("x", place(values.mse) - 1.2);
}

function sortRows(values) {
  const key = state.sort ?? "rank", down = state.down === "1";
  const order = [...rows.keys()].sort((a, b) => compare(values[a][key], values[b][key], down) || values[a].rank - values[b].rank);
  $("leaderboard").tBodies[0].append(...order.map((k) => rows[k]));
  markSorted($("leaderboard"), key, down);
}

function markSorted(table, key, down) {
  for (const heading of table.tHead.rows[0].cells) {
    const own = heading.dataset.key === key;
    heading.setAttribute("aria-sort", own ? (down ? "descending" : "ascending") : "none");
  }
}

/** Let a table's headings sort it; `names` are the keys of the state for the column and direction. */
function makeSortable(table, [name, direction], first) {
  table.tHead.addEventListener("click", (event) => {
    const key = event.target.closest("button")?.parentElement.dataset.key;
    if (!key) return;
    const again = (state[name] ?? first) === key;
    set({ [name]: key, [direction]: again && state[direction] !== "1" ? "1" : "", page: "" });
  });
}

function startLeaderboard() {
  makeSortable($("leaderboard"), ["sort", "down"], "rank");
  for (const name of [...filterNames, "family"]) {
    $(`by-${name}`)?.addEventListener("change", (event) => set({ [name]: event.target.value, page: "" }));
  }
  $("reset").addEventListener("click", () => set(Object.fromEntries([...filterNames, "family", "sort", "down"].map((n) => [n, ""]))));
}

// ---- Figures -------------------------------------------------------------------------------------

const PRINTED = 680;  // pixels of a figure on paper, which fit on A4 and letter
const figures = [...document.querySelectorAll("figure.plot")];
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A figure's layout in the colours of the page, or on paper for what is printed or saved. */
function themed(layout, width, paper) {
  const ink = paper ? "#1c1c1c" : css("--ink"), grid = paper ? "#e4e4e4" : css("--grid");
  const result = { ...layout, updatemenus: [], paper_bgcolor: paper ?? "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)" };
  result.font = { ...layout.font, color: ink };
  for (const key of Object.keys(layout)) {
    if (/^[xy]axis\d*$/.test(key)) result[key] = { ...layout[key], gridcolor: grid, linecolor: grid, zerolinecolor: grid };
  }
  if (layout.updatemenus) result.margin = { ...layout.margin, t: 20 };
  result.width = width;
  return result;
}

/** Room for a legend below: narrow screens need more lines for it. */
function withLegend(figure, layout, width) {
  const names = figure.spec.data.filter((t) => t.name && t.showlegend !== false && t.type !== "heatmap").length;
  const longest = Math.max(0, ...figure.spec.data.map((t) => (t.showlegend === false ? 0 : (t.name ?? "").length)));
  const lines = Math.ceil(names / Math.max(1, Math.floor((width - 80) / (55 + 7 * longest))));
  return names > 1 ? { ...layout, height: layout.height + 19 * lines } : layout;
}

/** Run plotly's script, which the page holds as plain text: it takes a second that opening must not. */
function loadPlotly() {
  if (window.Plotly) return;
  document.head.append(make("script", { textContent: $("plotly").textContent }));
}

function draw(figure, paper) {
  loadPlotly();
  const box = figure.querySelector(".drawing");
  figure.spec ??= read(`json-${figure.dataset.name}`);
  const width = paper ? PRINTED : box.clientWidth;
  const layout = withLegend(figure, themed(figure.spec.layout, width, paper), width);
  figure.drawn = Plotly.react(box, figure.spec.data, layout, { displayModeBar: false });
  if (!figure.heard) {
    figure.heard = true;
    box.on("plotly_hover", (event) => showTip(event));
    box.on("plotly_unhover", () => { $("tip").style.display = "none"; });
  }
  showMenu(figure);
}

function redraw() {
  for (const figure of figures) if (figure.drawn) draw(figure);
}

/** plotly's own menus are no form elements: an ordinary list takes their place. */
function makeMenu(figure) {
  const menu = figure.dataset.menu && figure.querySelector("select");
  menu?.addEventListener("change", () => set({ [figure.dataset.name]: menu.selectedIndex || "" }));
}

function showMenu(figure) {
  const menu = figure.querySelector("select");
  if (!menu || !figure.drawn) return;
  const buttons = figure.spec.layout.updatemenus[0].buttons;
  const number = Math.min(Number(state[figure.dataset.name] ?? 0), buttons.length - 1) || 0;
  menu.selectedIndex = number;
  const [data_, layout] = buttons[number].args;
  Plotly.update(figure.querySelector(".drawing"), structuredClone(data_), structuredClone(layout ?? {}));
}

function showMenus() {
  for (const figure of figures) showMenu(figure);
}

async function save(figure, format) {
  if (!figure.drawn) draw(figure);
  const box = figure.querySelector(".drawing");
  const layout = themed({ ...figure.spec.layout, xaxis: box.layout.xaxis, yaxis: box.layout.yaxis }, 1100, "#ffffff");
  const shown = { data: box.data, layout: withLegend(figure, layout, 1100), config: {} };
  await Plotly.downloadImage(shown, { format, width: 1100, height: shown.layout.height, filename: figure.dataset.name });
}

function startFigures() {
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watcher.unobserve(entry.target);
      if (!entry.target.drawn) draw(entry.target);  // for print it may be already
    }
  }, { rootMargin: "150px" });
  for (const figure of figures) {
    watcher.observe(figure);
    makeMenu(figure);
    for (const button of figure.querySelectorAll(".downloads button")) {
      button.addEventListener("click", () => save(figure, button.dataset.format));
    }
  }
  dark.addEventListener("change", redraw);
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; redraw(); } });
  addEventListener("beforeprint", () => figures.forEach((figure) => draw(figure, "#ffffff")));
  addEventListener("afterprint", redraw);
}

// ---- Pictures of cases ---------------------------------------------------------------------------

const decoded = new Map();  // pixels of the cases looked at last
const palette = Uint8Array.from(atob(data.palette), (c) => c.charCodeAt(0));

async function pixels(base64) {
  const image = new Image();
  image.src = `data:image/png;base64,${base64}`;
  await image.decode();
  const canvas = make("canvas", { width: image.width, height: image.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, image.width, image.height);
}

async function picturesOf(id) {
  const stored = data.pictures[id];
  if (!stored) return null;
  if (!decoded.has(id)) {
    if (decoded.size > 20) decoded.delete(decoded.keys().next().value);
    decoded.set(id, Promise.all([pixels(stored.base), pixels(stored.patches), stored.errors && pixels(stored.errors)]));
  }
  const [base, patches, errors] = await decoded.get(id);
  return { ...stored, base, patches, errors };
}

/** The picture with box number `number` in its hole: 0 as observed, then the methods that it has. */
function withBox(pictures, number) {
  const { base, patches, at: [top, left], size: [height, width] } = pictures;
  const result = new ImageData(new Uint8ClampedArray(base.data), base.width, base.height);
  for (let row = 0; row < height; row++) {
    const start = 4 * (number * height + row) * width;
    result.data.set(patches.data.subarray(start, start + 4 * width), 4 * ((top + row) * base.width + left));
  }
  return result;
}

function restored(pictures, method) {
  const place = pictures.have.indexOf(method);
  return place < 0 ? null : withBox(pictures, place + 1);
}

/** The part of a picture that shows the hole and a few pixels around it. */
function near(picture, { at: [top, left], size: [height, width] }) {
  const [row, column] = [Math.max(top - 5, 0), Math.max(left - 5, 0)];
  const canvas = make("canvas", { width: picture.width, height: picture.height });
  const context = canvas.getContext("2d");
  context.putImageData(picture, 0, 0);
  return context.getImageData(column, row, Math.min(left + width + 5, picture.width) - column, Math.min(top + height + 5, picture.height) - row);
}

/** Absolute error of a method, in colours on the page's one scale. */
function errorOf(pictures, method) {
  const place = pictures.have.indexOf(method), truth = pictures.base;
  if (place < 0 || !pictures.truth) return null;
  const steps = pictures.errors ? keptErrors(pictures, place) : errorSteps(withBox(pictures, place + 1), truth);
  const result = new ImageData(truth.width, truth.height);
  steps.forEach((step, k) => result.data.set([...palette.subarray(3 * step, 3 * step + 3), 255], 4 * k));
  return result;
}

function errorSteps(picture, truth) {
  const steps = new Uint8Array(truth.width * truth.height);
  for (let k = 0; k < steps.length; k++) {
    let sum = 0;
    for (let c = 0; c < 3; c++) sum += Math.abs(picture.data[4 * k + c] - truth.data[4 * k + c]);
    steps[k] = Math.min(255, Math.round((sum / 3 / data.error_range) * 255));
  }
  return steps;
}

/** Errors that what is shown does not tell, since it is clipped: the page holds them. */
function keptErrors({ base, errors, at: [top, left], size: [height, width] }, place) {
  const steps = new Uint8Array(base.width * base.height);
  for (let row = 0; row < height; row++) {
    for (let k = 0; k < width; k++) {
      steps[(top + row) * base.width + left + k] = errors.data[4 * ((place * height + row) * width + k)];
    }
  }
  return steps;
}

function paint(canvas, picture, description) {
  canvas.width = picture?.width ?? 1;
  canvas.height = picture?.height ?? 1;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", description);
  if (picture) canvas.getContext("2d").putImageData(picture, 0, 0);
}

async function showTip(event) {
  const point = event.points[0];
  if (!Array.isArray(point.customdata) || point.data.type !== "scatter" || data.hover < 0) return;
  const method = point.customdata[1], { clientX, clientY } = event.event;
  const pictures = await picturesOf(data.cases[data.hover].case_id);
  const picture = pictures && restored(pictures, method);
  if (!picture) return;
  const mse = scores.mse[data.hover][method];
  paint($("tip").firstElementChild, picture, "a restoration");
  $("tip").lastElementChild.textContent = `${data.methods[method]} on ${data.cases[data.hover].case_id}: MSE ${fixed(1)(mse)}`;
  $("tip").style.display = "block";
  $("tip").style.left = `${Math.min(clientX + 14, innerWidth - 180)}px`;
  $("tip").style.top = `${Math.max(Math.min(clientY + 24, innerHeight - 240), 0)}px`;
}

// ---- Case browser --------------------------------------------------------------------------------

const LINES = 10;  // cases on a page of the list
const root = (values) => values.map((v) => (isKnown(v) ? Math.sqrt(v) : null));
function spread(values) {
  const known = root(values).filter(isKnown);
  const mean = known.reduce((a, b) => a + b, 0) / known.length;
  return known.length > 1 ? Math.sqrt(known.reduce((a, b) => a + (b - mean) ** 2, 0) / known.length) : null;
}

/** How far method `a` is above the methods' median, in root mean squared errors: grey levels. */
function behind(number, a) {
  const own = scores.mse[number][a], middle = medians[number];
  return isKnown(own) && isKnown(middle) ? Math.sqrt(own) - Math.sqrt(middle) : null;
}

const medians = scores.mse.map(median);
const spreads = scores.mse.map(spread);
const bests = scores.mse.map((row) => row.reduce((best, v, k) => (isKnown(v) && (best < 0 || v < row[best]) ? k : best), -1));
const failed = data.status.map((row) => row.filter((status) => status !== "ok").length);

/** The lists that one may start from: the column that sorts them, and the direction. */
const LISTS = {
  "": ["case", false], hardest: ["median", true], disagreement: ["spread", true],
  best: ["behind", false], worst: ["behind", true], failures: ["failed", true],
};
const method = (key, otherwise) => {
  const number = data.methods.indexOf(state[key] ?? "");
  return number < 0 ? Math.min(otherwise, data.methods.length - 1) : number;
};

function valuesOf(number) {
  const a = method("a", 0), b = method("b", 1), about = data.cases[number];
  return {
    case: about.case_id, photograph: about.image_id, content: about.content,
    hole: about.hidden, median: medians[number], spread: spreads[number],
    best: bests[number] < 0 ? null : data.methods[bests[number]], behind: behind(number, a),
    a: scores.mse[number][a], b: scores.mse[number][b], failed: failed[number],
  };
}

function listed() {
  const [sort, down] = state.by ? [state.by, state.turned === "1"] : LISTS[state.list ?? ""] ?? LISTS[""];
  const places = [...data.cases.keys()].filter((k) => filterNames.every((n) => !state[n] || data.cases[k][n] === state[n]) && (state.list !== "failures" || failed[k]));
  const values = new Map(places.map((k) => [k, valuesOf(k)]));
  places.sort((p, q) => compare(values.get(p)[sort], values.get(q)[sort], down));
  return { sort, down, places, values };
}

function showCases() {
  const { sort, down, places, values } = listed();
  const pages = Math.max(Math.ceil(places.length / LINES), 1);
  const page = Math.min(Math.max(Number(state.page ?? 1) || 1, 1), pages);
  $("list").value = state.list ?? "";
  $("a").selectedIndex = method("a", 0);
  $("b").selectedIndex = method("b", 1);
  const chosen = data.cases.findIndex((c) => c.case_id === state.case);
  const current = places.includes(chosen) ? chosen : places[(page - 1) * LINES] ?? places[0];
  const shown = places.slice((page - 1) * LINES, page * LINES);
  $("cases-table").tBodies[0].replaceChildren(...shown.map((k) => caseRow(k, values.get(k), k === current)));
  markSorted($("cases-table"), sort, down);
  $("page").textContent = places.length ? `${page} of ${pages}` : "no case";
  $("previous").disabled = page <= 1;
  $("next").disabled = page >= pages;
  showCase(current);
}

function caseRow(number, values, chosen) {
  const about = data.cases[number], button = make("button", { textContent: about.case_id });
  button.addEventListener("click", () => {
    set({ case: about.case_id });
    $("cases-table").querySelector("tr.chosen button")?.focus();
  });
  const row = make("tr", { className: chosen ? "chosen" : "" }, make("td", { className: "text" }, button));
  if (chosen) button.setAttribute("aria-current", "true");
  const texts = [values.photograph, about.hole, values.content, fixed(1)(values.median), fixed(1)(values.spread), values.best ?? "-", fixed(1)(values.a), fixed(1)(values.b)];
  texts.forEach((text, k) => row.append(make("td", { className: k === 0 || k === 2 || k === 5 ? "text" : "" }, make("bdi", { textContent: text }))));
  return row;
}

let wanted = -1;  // the case that is to be shown, while its pictures are decoded

async function showCase(number) {
  wanted = number;
  $("case").hidden = number === undefined;
  if (number === undefined) return;
  const about = data.cases[number], a = method("a", 0), b = method("b", 1);
  $("case-title").textContent = [`${about.case_id}: ${about.image_id}`, about.source, `hidden: ${about.hole} pixels`, about.content].join(", ");
  fillScores(number);
  const pictures = await picturesOf(about.case_id);
  if (wanted !== number) return;
  $("case-pictures").hidden = !pictures;
  $("no-pictures").hidden = Boolean(pictures);
  if (!pictures) return;
  const truth = pictures.truth ? pictures.base : null, names = [data.methods[a], data.methods[b]];
  const [left, right] = [restored(pictures, a), restored(pictures, b)];
  paint($("observed"), withBox(pictures, 0), "as observed");
  paint($("truth"), truth, truth ? "the truth" : "the truth is not known");
  paint($("right"), right ?? withBox(pictures, 0), `restored by ${names[1]}`);
  paint($("left"), left ?? withBox(pictures, 0), `restored by ${names[0]}`);
  paint($("error-a"), errorOf(pictures, a), `error of ${names[0]}`);
  paint($("error-b"), errorOf(pictures, b), `error of ${names[1]}`);
  $("shown-as").textContent = pictures.shown && `${pictures.shown}.`;
  const told = (k, picture) => `${data.methods[k]}: ${picture ? `MSE ${fixed(1)(scores.mse[number][k])}` : data.status[number][k] === "ok" ? "no picture" : data.status[number][k]}`;
  for (const id of ["name-a", "caption-a"]) $(id).textContent = told(a, left);
  for (const id of ["name-b", "caption-b"]) $(id).textContent = told(b, right);
  for (const row of $("scores").tBodies[0].rows) {
    const picture = restored(pictures, Number(row.dataset.method));
    const canvas = make("canvas");
    if (!picture) continue;
    paint(canvas, near(picture, pictures), `restored by ${data.methods[row.dataset.method]}`);
    row.cells[1].replaceChildren(canvas);
  }
  slide();
}

function fillScores(number) {
  const order = [...data.methods.keys()].sort((p, q) => compare(scores.mse[number][p], scores.mse[number][q]));
  const line = (k) => {
    const texts = [fixed(1)(scores.mse[number][k]), fixed(2)(scores.psnr[number][k]), fixed(3)(scores.ssim[number][k]), fixed(1)(scores.edge_mse[number][k]), fixed(1)(scores.expected_mse[number][k]), data.status[number][k]];
    const name = make("td", { className: "text name" }, make("bdi", { textContent: data.methods[k] }));
    const row = make("tr", {}, name, make("td"), ...texts.map((text) => make("td", { textContent: text })));
    row.dataset.method = k;
    return row;
  };
  $("scores").tBodies[0].replaceChildren(...order.map(line));
}

function slide() {
  const share = Number($("slider").value);
  $("left").style.clipPath = `inset(0 ${100 - share}% 0 0)`;
  $("edge").style.left = `calc(${share}% - 1px)`;
}

function startCases() {
  makeSortable($("cases-table"), ["by", "turned"], "");
  $("list").addEventListener("change", (event) => set({ list: event.target.value, by: "", turned: "", page: "", case: "" }));
  for (const id of ["a", "b"]) $(id).addEventListener("change", (event) => set({ [id]: data.methods[event.target.selectedIndex] }));
  $("slider").addEventListener("input", slide);
  // From the page that is shown: an address may ask for one that is not there.
  const turn = (step) => set({ page: parseInt($("page").textContent) + step, case: "" });
  $("previous").addEventListener("click", () => turn(-1));
  $("next").addEventListener("click", () => turn(1));
  if (!$("scale")) return;  // without a truth there are no errors
  const scale = new ImageData(256, 1);
  for (let k = 0; k < 256; k++) scale.data.set([...palette.subarray(3 * k, 3 * k + 3), 255], 4 * k);
  paint($("scale"), scale, "colours of errors, from small to large");
}

// ---- Start ---------------------------------------------------------------------------------------

function follow() {
  const place = readAddress();
  show();
  if (place) $(place)?.scrollIntoView();
}

startLeaderboard();
startFigures();
startCases();
follow();
addEventListener("hashchange", follow);
for (const link of document.querySelectorAll("nav a")) {
  link.addEventListener("click", (event) => {  // the address keeps the state of the view
    event.preventDefault();
    const place = $(link.hash.slice(1));
    place.scrollIntoView();
    place.focus({ preventScroll: true });
  });
}
