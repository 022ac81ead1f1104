// The script of the page selects, draws and fills in. Every number and every word of the lesson was computed by Python
// when the page was written: see data.py for what is where. (whose.js, which computes for itself, comes before.)
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const read = (id) => JSON.parse(byId(id).textContent);

  const lesson = read("lesson");
  const { controls } = lesson;
  asOneControl(byId("mode"));
  const NAMES = Object.keys(controls);
  const CONTROLS = NAMES.filter((name) => !controls[name].pattern); // a drawing has no element of its own
  const RANGES = CONTROLS.filter((name) => byId(name).type === "range");
  const PLAY_MS = 150;
  const CONFIG = { responsive: true, displayModeBar: false };
  const narrow = matchMedia("(max-width: 559px)");
  const roomy = matchMedia("(min-width: 720px) and (min-height: 820px)"); // for what is folded, too

  // A group of radio buttons, read and set as a select is.
  function asOneControl(group) {
    const buttons = [...group.querySelectorAll("input")];
    Object.defineProperty(group, "value", {
      get: () => buttons.find((button) => button.checked).value,
      set: (value) => (buttons[value].checked = true),
    });
  }

  // ---- the state: for every control the number of its option, or its text ---------------------------------------

  const start = Object.fromEntries(NAMES.map((name) => [name, controls[name].start]));
  let state = { ...start };

  const hashOf = (which) =>
    "#" +
    NAMES.filter((name) => which[name] !== start[name] || name === "momentum" || name === "batch_size")
      .map((name) => `${name}=${valueIn(which, name)}`)
      .join("&");

  const valueIn = (which, name) => (controls[name].pattern ? which[name] : controls[name].values[which[name]]);

  // The number of an option, or the text that is to be there; undefined if this page does not have it.
  function option(name, value = "") {
    if (!Object.hasOwn(controls, name)) return undefined;
    const { pattern, values, last } = controls[name];
    if (!pattern) return values.includes(value) ? values.indexOf(value) : undefined;
    return RegExp(`^(?:${pattern})$`).test(value) && !(Number(value.match(/^~(\d+)/)?.[1]) > last) ? value : undefined;
  }

  // What a link asks for, and what of it this page does not have.
  function parse(hash) {
    const wanted = { ...start };
    const refused = [];
    for (const part of decoded(hash.slice(1)).split("&").filter(Boolean)) {
      const [name, value] = part.split("=", 2);
      const found = option(name, value);
      if (found === undefined) refused.push({ part, name });
      else wanted[name] = found;
    }
    return { wanted, refused };
  }

  function decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text; // a stray % is nonsense too, and is told as such
    }
  }

  // A link to a heading of the page is no setting.
  const isSetting = (hash) => !(hash.length > 1 && byId(hash.slice(1)));

  function follow(hash, kept = {}) {
    if (!isSetting(hash)) return;
    stop();
    const { wanted, refused } = parse(hash);
    state = { ...wanted, ...kept };
    tell(refused.length ? refusal(wanted, refused) : "");
    show();
  }

  function refusal(wanted, refused) {
    const shown = refused.map(({ name }) => (Object.hasOwn(controls, name) ? name : "momentum"));
    const names = new Set([...shown, "momentum", "batch_size"]);
    return fill(lesson.notices.refused, {
      asked: refused.map(({ part }) => part.slice(0, 60)).join(", "),
      shown: [...names].map((name) => `${name}=${valueIn(wanted, name)}`).join(", "),
    });
  }

  function tell(notice) {
    byId("notice").textContent = notice;
    byId("notice").hidden = !notice;
  }

  // A committed move is a step that the Back button takes back; a drag becomes one when it ends.
  function commit() {
    tell("");
    if (hashOf(state) !== location.hash) push(hashOf(state));
    quiet(Boolean(timer));
    show();
  }

  function quiet(now) {
    for (const said of document.querySelectorAll(".said")) said.setAttribute("aria-live", now ? "off" : "polite");
  }

  function push(hash) {
    try {
      history.pushState(null, "", hash);
    } catch {
      // Browsers refuse hundreds of entries within seconds (a held arrow key): the address lags, the picture does not.
    }
  }

  // ---- runs: one for each batch size, unpacked when first needed ------------------------------------------------

  const runs = lesson.controls.batch_size.values.map(() => null);
  const waiting = new Map();
  let plotly = null; // the promise that Plotly is there
  let whose = null; // what computes for itself, once it is there

  function load(number) {
    if (!waiting.has(number)) waiting.set(number, unpack(read(`run-${number}`)).then((run) => (runs[number] = run)));
    return waiting.get(number);
  }

  // ---- selecting --------------------------------------------------------------------------------------------------

  const valueOf = (name) => valueIn(state, name);

  function cell() {
    const row = lesson.rows[valueOf("estimator")][state.momentum];
    return { row, number: row * controls.unit.values.length + state.unit };
  }

  // What is drawn of trace number t: the beginning of a curve, up to the step.
  function curve(run, t) {
    const at = 2 * (cell().number * lesson.traces.length + t);
    const where = run.numbers[run.lines];
    const x = run.numbers[where[at]];
    const upto = countUpTo(x, Number(valueOf("step")));
    const key = `${state.batch_size}/${where[at]}/${where[at + 1]}/${upto}`;
    return { key, x: x.subarray(0, upto), y: run.numbers[where[at + 1]].subarray(0, upto) };
  }

  function countUpTo(sorted, limit) {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] <= limit) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // ---- words --------------------------------------------------------------------------------------------------------

  function wordsOf(run) {
    const at = cell().number * controls.step.values.length + state.step;
    const pick = ([choices, array]) => choices[run.numbers[array][at]];
    const fields = Object.fromEntries(Object.entries(run.words).map(([name, column]) => [name, pick(column)]));
    return { fields, names: pick(run.sequences) };
  }

  const sentence = ({ names, fields }) => names.map((name) => fill(lesson.templates[name], fields)).join(" ");

  // ---- drawing ------------------------------------------------------------------------------------------------------

  const plot = byId("plot");
  let drawn = null; // what the picture shows now: keys of its curves, whose axes it has, and which layout
  let printing = false;

  const curves = (run) => lesson.traces.map((_, t) => curve(run, t));
  const axes = () => `${state.batch_size}/${state.unit}`;

  const screenForm = () => (narrow.matches ? "stacked" : "row");
  const form = () => (printing ? "paper" : screenForm());

  function layoutNow(run) {
    const layout = structuredClone(lesson.layouts[form()]);
    for (const [axis, range] of Object.entries(run.ranges[state.unit])) layout[axis].range = range;
    return layout;
  }

  function drawAll(run) {
    const wanted = curves(run);
    const traces = lesson.traces.map((trace, t) => ({ ...trace, x: wanted[t].x, y: wanted[t].y }));
    plot.hidden = false;
    byId("still").hidden = true;
    drawn = { keys: wanted.map(({ key }) => key), axes: axes(), form: form() };
    return Plotly.react(plot, traces, layoutNow(run), CONFIG);
  }

  // Only curves that changed, and axes only when they belong to another run or unit.
  function drawChanges(run) {
    const wanted = curves(run);
    const changed = wanted.flatMap(({ key }, t) => (key === drawn.keys[t] ? [] : [t]));
    const relayout = axes() === drawn.axes ? {} : rangesOf(run);
    drawn = { ...drawn, keys: wanted.map(({ key }) => key), axes: axes() };
    if (!changed.length) return null;
    const data = { x: changed.map((t) => wanted[t].x), y: changed.map((t) => wanted[t].y) };
    return Plotly.update(plot, data, relayout, changed);
  }

  const rangesOf = (run) =>
    Object.fromEntries(Object.entries(run.ranges[state.unit]).map(([axis, range]) => [`${axis}.range`, range]));

  // ---- who writes, who reads --------------------------------------------------------------------------------------

  const svg = document.querySelector(".bn-drawing");
  const fieldsOf = [...svg.querySelectorAll("[data-field]")];

  function lastOfCurves(run) {
    const last = (key) => curve(run, lesson.traces.findIndex(({ meta }) => meta === key)).y.at(-1);
    return Object.fromEntries(Object.entries(lesson.drawing.curves).map(([name, key]) => [name, two(last(key))]));
  }

  // As drawing.py writes numbers. (No estimate, no number: then nothing is read from the shelf.)
  const two = (number) => (number === undefined ? "" : number.toFixed(2).replace("-0.00", "0.00").replace("-", "−"));

  function showDrawing(fields) {
    const mode = valueOf("mode");
    const shelf = lesson.drawing.shelves[valueOf("estimator")];
    const caption = fill(lesson.drawing.captions[`${mode}, ${shelf}`], fields);
    const texts = { ...fields, caption, title: fill(lesson.drawing.title, { mode }) };
    Object.assign(svg.dataset, { mode, shelf });
    for (const element of fieldsOf) element.textContent = texts[element.dataset.field];
    for (const [name, path] of Object.entries(bars())) svg.querySelector(`[data-curve=${name}]`).setAttribute("d", path);
    byId("caption").textContent = caption;
  }

  // As drawing.py draws them: every mini-batch as wide as its weight, the newest at the left, and last the start.
  function bars() {
    const { left, width, top, height, narrowest } = lesson.drawing.bars;
    const estimator = valueOf("estimator");
    const p = Number(valueOf("momentum"));
    const steps = Number(valueOf("step"));
    const bar = (from, to) => `M${from.toFixed(1)} ${top}H${to.toFixed(1)}V${top + height}H${from.toFixed(1)}Z`;
    if (lesson.drawing.shelves[estimator] !== "average") return { bars: "", start: "" };
    const whole = estimator === "debiased" ? 1 - p ** steps : 1;
    const within = estimator === "cumulative" ? (k) => k / steps : (k) => (1 - p ** k) / whole; // the newest k
    const edge = (k) => left + width * within(k);
    const end = edge(steps);
    let drawn = "";
    let k = 0;
    while (k < steps && edge(k + 1) - edge(k) >= narrowest) drawn += bar(edge(k), edge(++k) - 1);
    if (k < steps) drawn += bar(edge(k), end);
    return { bars: drawn, start: 1 - within(steps) > 0.0005 ? bar(end, left + width) : "" };
  }

  let frame = 0;
  let again = false;

  // A move shows at once. However many follow before the next frame of the screen, they make one drawing together.
  function show() {
    again = frame !== 0;
    if (again) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      if (again) show();
    });
    render();
  }

  function render() {
    const run = runs[state.batch_size];
    if (!run || !globalThis.Plotly) return Promise.all([load(state.batch_size), plotly]).then(show, broken);
    try {
      const words = wordsOf(run);
      showControls(words.fields);
      byId("sentence").textContent = sentence(words);
      byId("seeds").textContent = run.seeds[cell().row];
      showDrawing({ ...words.fields, ...lastOfCurves(run) });
      markMap();
      (drawn?.form === form() ? drawChanges(run) : drawAll(run))?.catch(broken);
      whose?.show(Object.fromEntries(NAMES.map((name) => [name, valueOf(name)])), labelsNow(words.fields));
    } catch (error) {
      broken(error);
    }
  }

  // Paper has a layout of its own, and with a view box the style sheet can scale it to the width of the sheet.
  function onPaper(now) {
    printing = now;
    render();
    const { width, height } = lesson.layouts.paper;
    for (const svg of plot.querySelectorAll(".main-svg")) {
      if (now) svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      else svg.removeAttribute("viewBox");
    }
  }

  function broken(error) {
    drawn = null; // whatever is there now, the next move draws all of it
    tell(fill(lesson.notices.broken, { error: error.message }));
  }

  // ---- controls -----------------------------------------------------------------------------------------------------

  function labelOf(name, fields) {
    if (name === "step") return fill(lesson.templates.step, fields);
    if (name === "N") return whose?.mixtureLabel(valueOf("N"), Number(valueOf("n"))) ?? "";
    if (name === "weight") return whose?.mixtureLabel(valueOf("weight"), 1 + Number(valueOf("neighbours"))) ?? "";
    if (controls[name].pattern) return valueOf(name);
    const { labels } = controls[name];
    return (Array.isArray(labels) ? labels : labels[valueOf("written")])[state[name]];
  }

  const labelsNow = (fields) => Object.fromEntries(NAMES.map((name) => [name, labelOf(name, fields)]));

  function showControls(fields) {
    for (const name of CONTROLS) byId(name).value = state[name];
    const labels = labelsNow(fields);
    for (const setting of document.querySelectorAll(".setting")) {
      setting.textContent = fill(lesson.templates[setting.id], { ...labels, hash: hashOf(state) });
    }
    for (const name of RANGES) {
      byId(`${name}-value`).textContent = labels[name];
      byId(name).setAttribute("aria-valuetext", labels[name]); // not the number of the option
    }
  }

  function markMap() {
    const here = `#momentum=${valueOf("momentum")}&batch_size=${valueOf("batch_size")}`;
    for (const link of document.querySelectorAll("#map a")) {
      if (link.getAttribute("href") === here) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  function take(name) {
    if (name === "step") stop();
    state = { ...state, [name]: Number(byId(name).value) };
  }

  // By the values of a link; a stroke on the drawing pad is done only at its end.
  function set(values, done = true) {
    for (const [name, value] of Object.entries(values)) state = { ...state, [name]: option(name, value) };
    quiet(!done);
    if (done) commit();
    else show();
  }

  function listen() {
    for (const name of CONTROLS) {
      byId(name).addEventListener("input", () => {
        take(name);
        quiet(true); // not every position of a drag is read out
        show();
      });
      byId(name).addEventListener("change", () => {
        take(name);
        commit();
      });
    }
    byId("play").addEventListener("click", () => (timer ? stop(commit) : play()));
    for (const button of document.querySelectorAll("[data-preset]")) button.addEventListener("click", () => preset(button));
    for (const link of document.querySelectorAll("a[data-shows]")) link.addEventListener("click", toPicture);
    addEventListener("hashchange", () => follow(location.hash));
    addEventListener("beforeprint", () => onPaper(true));
    addEventListener("afterprint", () => requestAnimationFrame(() => onPaper(false))); // once the screen is back
    narrow.addEventListener("change", show);
    new ResizeObserver(measureBar).observe(byId("controls"));
  }

  function preset(button) {
    stop();
    set(lesson.presets[button.dataset.preset]);
  }

  // To the picture, right below the sliders. (Left to the browser, a link in a frame without an address leaves the page.)
  function toPicture(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab or a window of its own
    event.preventDefault();
    const { hash, dataset } = event.currentTarget;
    const partOf = (setting) => controls[setting.split("=", 1)[0]].of;
    const parts = new Set(hash.slice(1).split("&").map(partOf));
    const others = NAMES.filter((name) => !parts.has(controls[name].of)); // what it does not speak of stays
    follow(hash, Object.fromEntries(others.map((name) => [name, state[name]])));
    commit();
    byId(dataset.shows).scrollIntoView({ block: "start" });
  }

  function measureBar() {
    document.documentElement.style.setProperty("--bar", `${byId("controls").offsetHeight}px`);
    if (drawn && !printing && plot.offsetHeight) Plotly.Plots.resize(plot); // it has the room that the bar leaves
  }

  // ---- play ---------------------------------------------------------------------------------------------------------

  let timer = 0;

  function play() {
    const last = controls.step.values.length - 1;
    if (state.step === last) state = { ...state, step: 0 };
    quiet(true);
    byId("play").textContent = "Pause";
    timer = setInterval(() => {
      state = { ...state, step: state.step + 1 };
      if (state.step === last) stop(commit);
      else show();
    }, PLAY_MS);
    show();
  }

  function stop(then) {
    if (!timer) return;
    clearInterval(timer);
    timer = 0;
    byId("play").textContent = "Play";
    then?.();
  }

  // ---- begin --------------------------------------------------------------------------------------------------------

  const pause = () => new Promise((done) => setTimeout(done, 50));

  async function begin() {
    if (typeof DecompressionStream === "undefined") return tell(lesson.notices.old);
    for (const question of document.querySelectorAll(".question")) {
      prepareQuestion(question, lesson.questions[question.dataset.question], lesson.replies);
    }
    plotly = runScript(byId("plotly").textContent);
    byId("controls").hidden = byId("folded").hidden = byId("mode").hidden = false;
    byId("folded").open = roomy.matches; // on a small screen the picture comes first
    measureBar();
    listen();
    follow(location.hash);
    await Promise.all([load(state.batch_size), plotly]);
    for (const number of runs.keys()) {
      await pause(); // the first picture first; then the rest, so that the first move of batch size does not wait
      await load(number);
    }
    await pause();
    whose = whoseStatistics(await unpack(read("whose-data")), { form: screenForm, config: CONFIG, set, broken });
    byId("whose").classList.add("live");
    show();
    const asked = Object.keys(controls).filter((name) => state[name] !== start[name]);
    const parts = asked.map((name) => controls[name].of);
    if (parts.length && parts.every(Boolean)) byId(`${parts[0]}-title`).scrollIntoView(); // what the link is about
  }

  begin();
})();
