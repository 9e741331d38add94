"use strict";
// The overview and the chart of a report. All text is set as text, never as markup. Nothing is requested.
(async () => {
  const LIMIT = {bytes: 64e6, list: 300000, text: 2000, shown: 200, lanes: 60};
  const $ = id => document.getElementById("x_" + id);
  const make = (name, attributes = {}, ...inner) => fill(document.createElement(name), attributes, inner);
  const draw = (name, attributes = {}, ...inner) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, inner);
  const line = (name, x1, x2, y1, y2) => draw("line", {class: name, x1, x2, y1, y2});
  function fill(node, attributes, inner) {
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    node.append(...inner);
    return node;
  }

  // --- reading a report.json, which may be anything ---
  function refuse(why) { throw new Error(why); }
  const list = check => (value, what) => Array.isArray(value) && value.length <= LIMIT.list
    ? value.map(one => check(one, what)) : refuse(`${what} is no list of at most ${LIMIT.list}`);
  const text = (value, what) => typeof value === "string" && value.length <= LIMIT.text
    ? value.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "") : refuse(`${what} is no text of at most ${LIMIT.text}`);
  const number = (value, what) => value == null ? null : value === "inf" ? Infinity
    : Number.isFinite(value) && Math.abs(value) < 1e300 ? value : refuse(`${what} is no number`);
  const whole = below => (value = 0, what) =>
    Number.isInteger(value) && value >= 0 && value < below ? value : refuse(`${what} is no number below ${below}`);
  const count = whole(1e9), words = (value = "", what) => text(value, what), yes = value => value === true;
  // Which part is checked how.
  const METRIC = {name: text, label: text, unit: text};
  const CELL = {scenario: text, box: text, colour: value => /^[a-z]-[a-z0-9-]+$/.test(value) ? value : "ink", hollow: yes,
    boots: count, blocks: list(count)};
  const ROW = {main: yes, range: yes, n: count, failed: count, doubts: count, median: number, low: number, high: number,
    p95: number, ratio: number, ratio_low: number, ratio_high: number, shown: words, p95_shown: words, ratio_shown: words,
    verdict: words, points: list(number)};
  const WHOLE = {facts: list(([name, value]) => [text(name, "fact"), text(value, "fact")]), campaign: text, created_at: text,
    boxbench: text, source: text};
  const checked = (one, parts) => Object.fromEntries(Object.entries(parts).map(([name, check]) => [name, check(one[name], name)]));

  function read(json, campaign) {
    let raw;
    try { raw = JSON.parse(json); } catch { refuse("it is not JSON"); }
    if (raw?.format !== "boxbench report") refuse("it is not the report.json of a report");
    if (raw.version !== 1) refuse("this page reads version 1, and it has another one");
    const metrics = list(one => checked(one, METRIC))(raw.metrics, "metrics");
    const cells = list(one => checked(one, CELL))(raw.cells, "cells");
    // A row has a value for each column of the table, by the column's name.
    const rows = list(one => {
      const {boots: all, ...cell} = cells[whole(cells.length)(one.cell ?? -1, "cell")], row = checked(one, ROW);
      const {label: metric, name, unit} = metrics[whole(metrics.length)(one.metric ?? -1, "metric")];
      return {campaign, ...cell, metric, name, unit, all, ...row, boots: row.n, median_shown: row.shown};
    })(raw.rows, "rows");
    const found = checked(raw, WHOLE);
    return {rows, facts: new Map([...found.facts, ["boxbench", found.boxbench], ["source", found.source]]),
      name: `${found.campaign} of ${found.created_at.slice(0, 16).replace("T", " ")}`};
  }

  // --- numbers ---
  const steps = (base, ...names) => names.map((name, place) => [base ** (3 - place), name]);
  const SCALES = {ns: steps(1e3, "s", "ms", "µs", "ns"), bytes: steps(1024, "GiB", "MiB", "KiB", "B"),
    per_s: steps(1e3, "G/s", "M/s", "k/s", "/s"), bytes_per_s: steps(1024, "GiB/s", "MiB/s", "KiB/s", "B/s")};
  const scale = (value, unit) => {
    const known = SCALES[unit] || [[1, ""]];
    return known.find(([size]) => Math.abs(value) >= 0.9995 * size) || known[known.length - 1];
  };
  function say(value, unit) {
    if (value === null) return "no value";
    if (value === 0) return "0";
    if (value === Infinity) return "∞";
    const [size, name] = scale(value, unit);
    const found = value / size;
    const digits = Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(Math.abs(Number(found.toPrecision(3)))))));
    return `${found.toFixed(digits)} ${name}`.trim();
  }

  // --- state, which is in the address ---
  // The page holds its own report.json compressed. It is unpacked here, without a request.
  const packed = Uint8Array.from(atob($("data").textContent), letter => letter.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const own = read(await new Response(unpacked).text(), "this");
  let other = null;
  const START = {s: "", b: "", m: "main", q: "", o: "", c: "", e: "", x: "", l: ""}, usual = {...START};
  let state = {...START};
  const rows = () => other ? [...own.rows, ...other.rows] : own.rows;
  function load() {
    state = {...START};
    if (!location.hash.startsWith("#v=")) return;
    for (const [key, value] of new URLSearchParams(location.hash.slice(3)))
      if (Object.hasOwn(START, key)) state[key] = value;
  }
  function keep() {
    const changed = Object.entries(state).filter(([key, value]) => value !== usual[key]);
    const hash = changed.length ? `#v=${new URLSearchParams(changed)}` : "";
    if (hash || location.hash.startsWith("#v=")) history.replaceState(null, "", location.href.split("#")[0] + hash);
  }
  function options(id, pairs, key) {
    const select = $(id);
    select.replaceChildren(...pairs.map(([value, label]) => make("option", {value}, label)));
    usual[key] = pairs[0]?.[0] ?? "";
    if (!pairs.some(([value]) => value === state[key])) state[key] = usual[key];
    select.value = state[key];
  }
  const unique = values => [...new Set(values)];
  const named = values => unique(values).map(value => [value, value]);
  const metricsOf = found => [...new Map(found.map(row => [row.name, row.metric]))];

  // --- the table ---
  const COLUMNS = ["campaign", "scenario", "box", "metric", "boots", "median", "ratio", "verdict", "p95", "failed", "doubts"];
  const FILE = ["campaign", "scenario", "box", "metric", "unit", "boots", "failed", "doubts", "median", "low", "high", "between", "p95",
    "ratio", "ratio_low", "ratio_high", "verdict"];
  const shownOf = (row, name) => { const value = row[`${name}_shown`] ?? row[name]; return value === "" ? "–" : String(value); };
  const shownColumns = () => {
    const wanted = state.c.split("."), found = COLUMNS.filter(name => wanted.includes(name));
    return found.length ? found : COLUMNS.slice(other ? 0 : 1, 8);
  };
  function chosen() {
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const found = rows().filter(row => (!state.s || row.scenario === state.s) && (!state.b || row.box === state.b)
      && (state.m === "main" ? row.main : !state.m || row.name === state.m)
      && words.every(word => `${row.scenario} ${row.box} ${row.metric} ${row.verdict}`.toLowerCase().includes(word)));
    const column = state.o.replace("-", ""), sign = state.o.startsWith("-") ? -1 : 1;
    if (!COLUMNS.includes(column)) return found;
    const order = (a, b) => typeof a === "string" ? a.localeCompare(b, "en", {numeric: true}) : a < b ? -1 : a > b ? 1 : 0;
    return found.sort((a, b) => sign * order(a[column] ?? -1, b[column] ?? -1));
  }
  function sortBy(name) {
    state.o = state.o === name ? `-${name}` : state.o === `-${name}` ? "" : name;
    show();
    [...$("rows").querySelectorAll("thead button")].find(button => button.dataset.name === name)?.focus();
  }
  function table() {
    const found = chosen(), columns = shownColumns();
    const head = columns.map(name => {
      const button = make("button", {type: "button", "data-name": name}, name);
      button.addEventListener("click", () => sortBy(name));
      const sorted = state.o === name ? "ascending" : state.o === `-${name}` ? "descending" : "none";
      return make("th", {scope: "col", "aria-sort": sorted}, button);
    });
    const body = found.slice(0, LIMIT.shown).map(row => make("tr", {}, ...columns.map(name => {
      const cell = make(name === "box" ? "th" : "td", {"data-label": name, ...(name === "box" && {scope: "row"})});
      if (name === "box") cell.append(make("i", {class: `swatch ${row.colour}${row.hollow ? " hollow" : ""}`, "aria-hidden": "true"}));
      shownOf(row, name).split(/(?<=[\/=]|,(?![^[(]*[\])]))/).forEach((part, place) => cell.append(...(place ? [make("wbr")] : []), part));
      return cell;
    })));
    $("rows").tHead.replaceChildren(make("tr", {}, ...head));
    $("rows").tBodies[0].replaceChildren(...body);
    $("count").textContent = found.length > LIMIT.shown
      ? `The first ${LIMIT.shown} of ${found.length} rows; copy and file have all.`
      : `${found.length} row${found.length === 1 ? "" : "s"}.`;
  }
  function columnBoxes() {
    const shown = shownColumns();
    $("columns").replaceChildren(...COLUMNS.slice(other ? 0 : 1).map(name => {
      const box = make("input", {type: "checkbox", value: name});
      box.checked = shown.includes(name);
      box.addEventListener("change", () => {
        state.c = [...$("columns").querySelectorAll("input:checked")].map(one => one.value).join(".");
        show();
      });
      return make("label", {}, box, name);
    }));
  }
  const inMarkdown = value => value.replace(/[\\|`*_<>[\]]/g, "\\$&");
  function markdown() {
    const columns = shownColumns();
    return [columns, columns.map(() => "---"), ...chosen().map(row => columns.map(name => inMarkdown(shownOf(row, name))))]
      .map(cells => `| ${cells.join(" | ")} |\n`).join("");
  }
  // A spreadsheet would run a text that begins like a formula.
  const inCsv = value => value === Infinity ? "inf" : typeof value === "number" ? value : value === null ? ""
    : `"${value.replace(/^(?=[=+\-@\t\r])/, "'").replaceAll('"', '""')}"`;
  function csv() {
    const between = row => row.low === null ? "" : row.range ? "range" : "95 % interval";
    const lines = chosen().map(row => ({...row, metric: row.name, between: between(row)}));
    return [FILE, ...lines.map(line => FILE.map(name => line[name]))].map(cells => cells.map(inCsv).join(",") + "\r\n").join("");
  }
  async function copy() {
    const words = markdown();
    try {
      await navigator.clipboard.writeText(words);
      $("said").textContent = "The rows are in the clipboard, as a Markdown table.";
    } catch {
      $("copied").hidden = false;
      $("copied").value = words;
      $("copied").select();
      $("said").textContent = "The clipboard is closed to pages here. The table is marked: press Ctrl+C.";
    }
  }
  function save() {
    const address = URL.createObjectURL(new Blob([csv()], {type: "text/csv"}));
    make("a", {href: address, download: "boxbench.csv"}).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
    $("said").textContent = "The rows are saved as boxbench.csv.";
  }

  // --- the chart ---
  const LANE = 64, TOP = 8, EDGE = 14;
  let lanes = [], at = [-1, -1];
  const part = row => row.blocks.length < row.all;
  const told = (lane, place) => {
    const {row, dots} = lanes[lane], who = (other ? `${row.campaign} campaign, ` : "") + row.box;
    if (place < 0) return `${who}: median ${row.shown}, ${row.n} boots${row.failed ? `, ${row.failed} failed` : ""}`;
    return `${who}, block ${dots[place].block + 1}: ${say(dots[place].value, row.unit)}; `
      + `${place + 1} of ${dots.length}${part(row) ? " shown" : ""} in order of size`;
  };
  function ticks(low, high, log, unit) {
    if (log) {
      const found = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
        for (const step of [1, 2, 5]) found.push(step * 10 ** power);
      const inside = found.filter(value => value >= low && value <= high);
      const tens = inside.filter(value => /^1/.test(value.toExponential()));
      return inside.length <= 6 ? inside : tens.filter((_, place) => place % Math.ceil(tens.length / 6) === 0);
    }
    const size = scale(Math.max(high, -low), unit)[0], rough = (high - low) / size / 4, ten = 10 ** Math.floor(Math.log10(rough));
    const step = ten * [1, 2, 5, 10].find(factor => factor * ten >= rough) * size, found = [];
    for (let i = 0, first = Math.ceil(low / step); i <= 20 && (first + i) * step <= high; i++) found.push((first + i) * step);
    return found;
  }
  function chart() {
    const found = rows().filter(row => row.scenario === state.e && row.name === state.x);
    lanes = found.slice(0, LIMIT.lanes).map(row => ({row, dots: row.points.map((value, place) => ({value, block: row.blocks[place]}))
      .filter(dot => dot.value !== null).sort((a, b) => a.value - b.value)}));
    at = [-1, -1];
    const all = lanes.flatMap(({row, dots}) => [...dots.map(dot => dot.value), row.median, row.low, row.high]).filter(Number.isFinite);
    const least = Math.min(...all), most = Math.max(...all), log = state.l === "1" && least > 1e-300;
    $("log").disabled = !(least > 0);
    const width = Math.max(240, $("chart").clientWidth), height = TOP + LANE * lanes.length + 34;
    const low = log ? least / 1.1 : Math.min(0, least), high = log ? most * 1.1 : most > 0 ? most * 1.03 : low < 0 ? 0 : 1;
    const way = log ? Math.log : value => value;
    const x = value => value === Infinity ? width - 5 : EDGE + (width - 2 * EDGE) * (way(value) - way(low)) / (way(high) - way(low));
    const unit = found[0]?.unit ?? "";
    const svg = draw("svg", {viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true"});
    const fits = Math.floor(width / 75);
    const marks = all.length ? ticks(low, high, log, unit) : [];
    for (const value of marks.filter((_, place) => place % Math.ceil(marks.length / fits) === 0))
      svg.append(line("grid", x(value), x(value), TOP, height - 24),
        draw("text", {class: "tick", x: Math.min(Math.max(x(value), 22), width - 26), y: height - 8, "text-anchor": "middle"},
          say(value, unit).replace(/\.0+(?!\d)|(\.\d*[1-9])0+(?!\d)/, "$1")));
    lanes.forEach((lane, number) => svg.append(oneLane(lane, TOP + LANE * number, x)));
    svg.append(draw("circle", {id: "x_ring", r: 9, visibility: "hidden"}));
    $("chart").replaceChildren(svg);
    lanes.forEach(lane => lane.x = x);
    $("point").textContent = found.length ? "" : "No box has this metric.";
    const some = unique(lanes.filter(({row}) => part(row)).map(({row}) => `${row.blocks.length} of ${row.all}`));
    $("part").textContent = (some[0] ? `Dots: ${some.join(", ")} boots of a box, evenly chosen; median and bar are of all. ` : "")
      + (found[LIMIT.lanes] ? `The first ${LIMIT.lanes} of ${found.length} boxes.` : "");
  }
  function oneLane({row, dots}, top, x) {
    const group = draw("g", {class: row.colour}), y = top + 36, second = row.campaign !== "this";
    group.append(draw("text", {class: "lane", x: EDGE, y: top + 16}, `${second ? "other: " : ""}${row.box}  ${row.shown}`));
    if (Number.isFinite(row.low) && row.high !== null)
      group.append(line(row.range ? "range" : "interval", x(row.low), x(row.high), y + 15, y + 15));
    dots.forEach((dot, place) => {
      const shape = {class: `dot${row.hollow ? " hollow" : ""}`};
      const cx = x(dot.value), cy = dot.y = y + ((place * 0.618) % 1 - 0.5) * 18;
      group.append(second ? draw("rect", {...shape, x: cx - 3.5, y: cy - 3.5, width: 7, height: 7})
        : draw("circle", {...shape, cx, cy, r: 4}));
    });
    if (row.median !== null) group.append(line("median", x(row.median), x(row.median), y - 12, y + 19));
    return group;
  }
  function go(lane, place) {
    at = [lane, place];
    const {row, dots, x} = lanes[lane], value = place < 0 ? row.median : dots[place].value, ring = $("ring");
    ring.setAttribute("visibility", value === null ? "hidden" : "visible");
    if (value !== null) {
      ring.setAttribute("cx", x(value));
      ring.setAttribute("cy", place < 0 ? TOP + LANE * lane + 36 : dots[place].y);
    }
    $("point").textContent = told(lane, place);
  }
  function leave() {
    at = [-1, -1];
    $("ring")?.setAttribute("visibility", "hidden");
    $("point").textContent = "";
  }
  function press(event) {
    const [lane, place] = at, last = lanes.length - 1;
    const end = lanes[Math.max(0, lane)]?.dots.length - 1;
    if (event.altKey || event.ctrlKey || event.metaKey || last < 0) return;
    const moves = {ArrowDown: [Math.min(last, lane + 1), -1], ArrowUp: [Math.max(0, lane - 1), -1],
      ArrowRight: [Math.max(0, lane), lane < 0 ? -1 : Math.min(end, place + 1)],
      ArrowLeft: [Math.max(0, lane), Math.max(-1, place - 1)], Home: [Math.max(0, lane), -1], End: [Math.max(0, lane), end]};
    if (event.key === "Escape") $("chart-metric").focus();
    else if (event.key in moves) go(...moves[event.key]);
    else return;
    event.preventDefault();
  }
  function point(event) {
    const box = $("chart").getBoundingClientRect(), left = event.clientX - box.left;
    const lane = Math.floor((event.clientY - box.top - TOP) / LANE);
    if (!lanes[lane]) return;
    const away = lanes[lane].dots.map(dot => Math.abs(lanes[lane].x(dot.value) - left)), near = Math.min(...away);
    go(lane, near < 24 ? away.indexOf(near) : -1);
  }

  // --- another campaign ---
  async function open(file) {
    const said = $("other-said");
    try {
      if (file.size > LIMIT.bytes) refuse(`it has more than ${LIMIT.bytes / 1e6} MB`);
      other = read(await file.text(), "other");
    } catch (error) {
      other = null;
      said.textContent = `${file.name} was not opened: ${error instanceof TypeError ? "it has another form" : error.message}.`;
      return renew();
    }
    const names = unique([...own.facts.keys(), ...other.facts.keys()]);
    const differ = names.filter(name => own.facts.get(name) !== other.facts.get(name))
      .map(name => `${name} (${own.facts.get(name) ?? "–"} here, ${other.facts.get(name) ?? "–"} there)`);
    said.textContent = `The other campaign is ${other.name}. Its numbers stand beside those of this one, never pooled and never in a ratio. `
      + (differ.length ? `What differs: ${differ.slice(0, 12).join("; ")}.` : "Host and version are equal.");
    renew();
  }

  // --- the whole ---
  function show() { table(); keep(); }
  function renew() {
    const found = rows();
    $("close").hidden = !other;
    options("scenario", [["", "all"], ...named(found.map(row => row.scenario))], "s");
    options("box", [["", "all"], ...named(found.map(row => row.box))], "b");
    options("metric", [["main", "main ones"], ["", "all"], ...metricsOf(found)], "m");
    options("chart-scenario", named(found.map(row => row.scenario)), "e");
    options("chart-metric", metricsOf(found.filter(row => row.scenario === state.e).sort((a, b) => b.main - a.main)), "x");
    $("find").value = state.q;
    $("log").checked = state.l === "1";
    columnBoxes();
    chart();
    show();
  }
  const on = (node, names, what) => names.split(" ").forEach(name => node.addEventListener(name, what));
  const choose = (id, key, then) => on($(id), "input", ({target}) => {
    state[key] = target.type === "checkbox" ? (target.checked ? "1" : "") : target.value;
    then();
    keep();
  });
  choose("scenario", "s", table);
  choose("box", "b", table);
  choose("metric", "m", table);
  choose("find", "q", table);
  choose("chart-scenario", "e", renew);
  choose("chart-metric", "x", chart);
  choose("log", "l", chart);
  on($("copy"), "click", copy);
  on($("save"), "click", save);
  on($("other"), "change", ({target}) => target.files[0] && open(target.files[0]));
  // The same file may have changed since.
  on($("other"), "click", ({target}) => { target.value = ""; });
  on($("close"), "click", () => { other = null; $("other").value = $("other-said").textContent = ""; renew(); $("other").focus(); });
  const area = $("chart");
  on(area, "keydown", press);
  on(area, "focus", () => at[0] < 0 && lanes.length && area.matches(":focus-visible") && go(0, -1));
  on(area, "pointermove pointerdown", point);
  on(area, "pointerleave blur", leave);
  on(window, "hashchange", () => { if (location.hash.startsWith("#v=")) { load(); renew(); } });
  on(window, "keydown", event => event.key === "Escape" && leave());
  for (const node of document.querySelectorAll("[data-script]")) node.hidden = false;
  load();
  renew();
  let width = area.clientWidth;
  new ResizeObserver(() => { if (area.clientWidth !== width) { width = area.clientWidth; chart(); } }).observe(area);
})();
