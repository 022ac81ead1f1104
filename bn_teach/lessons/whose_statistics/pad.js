// The drawing pad: a sheet, buttons for whoever does not draw, and what the network gets. (ink.js comes before.)
"use strict";

const SVG_NAMES = "http://www.w3.org/2000/svg";
const NEAR = 1.5; // points nearer than this to the one before are left out
const MOVES = { left: [-2, 0], right: [2, 0], up: [0, -2], down: [0, 2] };
const ARROWS = { left: "←", right: "→", up: "↑", down: "↓" };

// `onChange(drawing, done)` is called while a stroke grows, and with `done` when it ends or a button was pressed.
function drawingPad(root, { images, labels, remarks, onChange }) {
  let drawing = "";
  const past = [];
  root.classList.add("bn-pad");
  root.innerHTML = `
    <svg class="bn-pad-sheet" viewBox="0 0 64 64" role="img" aria-label="drawing pad">
      <path class="bn-pad-ink"/>
      <path class="bn-pad-pixels"/>
    </svg>
    <svg class="bn-pad-input" viewBox="0 0 8 8" role="img"><g></g></svg>
    <span>draw here</span>
    <span>what the network gets</span>
    <div class="bn-pad-buttons" role="group" aria-label="drawing"></div>
    <div class="bn-pad-buttons" role="group" aria-label="take one of ours"><span>one of ours</span></div>
    <p class="bn-pad-remark" role="status"></p>`;
  const [sheet, input] = root.querySelectorAll("svg");
  const [tools, ours] = root.querySelectorAll(".bn-pad-buttons");
  const [ink, pixels] = sheet.querySelectorAll("path");
  const squares = Array.from({ length: 64 }, (_, at) => {
    const square = document.createElementNS(SVG_NAMES, "rect");
    for (const [name, value] of Object.entries({ x: at % 8, y: at >> 3, width: 1.02, height: 1.02 }))
      square.setAttribute(name, value);
    return input.firstElementChild.appendChild(square);
  });

  function button(where, text, label, act) {
    const made = document.createElement("button");
    Object.assign(made, { type: "button", textContent: text });
    if (label !== text) made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    where.append(made);
  }

  function show(value) {
    drawing = value;
    const parts = partsOf(drawing);
    const raw = drawing === parts.ink && !parts.ink.startsWith("~"); // what the hand drew; else the picture made of it
    const black = bitmap(drawing, images);
    const line = (stroke) => "M" + stroke.map((point) => point.join(" ")).join("L") + (stroke.length > 1 ? "" : "h0");
    ink.setAttribute("d", raw ? strokesOf(parts.ink).map(line).join("") : "");
    const dots = [...black.keys()].filter((at) => black[at] && !raw);
    pixels.setAttribute("d", dots.map((at) => `M${2 * (at % SIDE)} ${2 * Math.floor(at / SIDE)}h2v2h-2z`).join(""));
    const counts = countInk(black);
    squares.forEach((square, at) => square.setAttribute("fill-opacity", counts[at] / 16));
    input.setAttribute("aria-label", `what the network gets, 8 rows of 8 counts: ${counts.join(" ")}`);
    root.querySelector(".bn-pad-remark").textContent = remarks[remarkOn(drawing, images)] ?? "";
  }

  function change(value, done = true) {
    show(value);
    onChange(value, done);
  }

  // A change that Undo takes back.
  function commit(value) {
    if (value === drawing) return;
    past.push(drawing);
    change(value);
  }

  // ---- hands ----

  let stroke = null; // the one that grows: { before, points, pointer }

  const place = ({ clientX, clientY }) => {
    const { left, top, width, height } = sheet.getBoundingClientRect();
    const on = (value) => Math.min(Math.max(Math.round(value), 0), GRID.length - 1);
    return [on((64 * (clientX - left)) / width), on((64 * (clientY - top)) / height)];
  };

  function grow(event) {
    for (const each of event.getCoalescedEvents?.() ?? []) add(place(each));
    add(place(event));
    const text = stroke.points
      .flat()
      .map((value) => GRID[value])
      .join("");
    change(stroke.before ? `${stroke.before}.${text}` : text, false);
  }

  function add(point) {
    const last = stroke.points.at(-1);
    if (!last || Math.hypot(point[0] - last[0], point[1] - last[1]) > NEAR) stroke.points.push(point);
  }

  sheet.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button) return;
    event.preventDefault();
    sheet.setPointerCapture(event.pointerId);
    past.push(drawing);
    const { ink } = partsOf(drawing);
    stroke = { before: ink.startsWith("~") ? "" : ink, points: [], pointer: event.pointerId };
    grow(event);
  });
  sheet.addEventListener("pointermove", (event) => {
    if (stroke?.pointer === event.pointerId) grow(event);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    sheet.addEventListener(end, (event) => {
      if (stroke?.pointer !== event.pointerId) return;
      stroke = null;
      change(drawing);
    });
  }

  const edit = (change) => {
    const parts = partsOf(drawing);
    const within = (value) => Math.min(Math.max(value, -SIDE), SIDE);
    const { dx, dy, eroded } = { ...parts, ...change(parts) };
    if (parts.ink) commit(drawingOf({ ink: parts.ink, dx: within(dx), dy: within(dy), eroded: within(eroded) }));
  };

  button(tools, "Undo", "Undo", () => past.length && change(past.pop()));
  button(tools, "Clear", "Clear", () => commit(""));
  for (const [name, [right, down]] of Object.entries(MOVES)) {
    button(tools, ARROWS[name], `move ${name}`, () => edit(({ dx, dy }) => ({ dx: dx + right, dy: dy + down })));
  }
  button(tools, "thinner", "thinner", () => edit(({ eroded }) => ({ eroded: eroded + 1 })));
  button(tools, "thicker", "thicker", () => edit(({ eroded }) => ({ eroded: eroded - 1 })));

  // The next image of the class, in turn.
  function next(digit) {
    const { ink } = partsOf(drawing);
    const now = ink.startsWith("~") ? Number(ink.slice(1)) : -1;
    const found = labels.findIndex((label, at) => label === digit && at > now);
    commit(`~${found >= 0 ? found : labels.indexOf(digit)}`);
  }

  for (const digit of new Set([...labels].sort())) button(ours, String(digit), `a ${digit} of ours`, () => next(digit));

  show("");
  return { show };
}
