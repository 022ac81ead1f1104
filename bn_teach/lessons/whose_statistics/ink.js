// From a drawing to an input of the network: ink.py, bit by bit. (Sums have the same order, so they round alike.)
"use strict";

const GRID = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const SIDE = 32;
const [TALL, WIDE, STRETCH] = [28, 16, 1.5];
const [INK, THINNEST, THICKEST] = [312, 1.2, 5.5];

// A drawing and its parts: what is drawn, and how that is moved and eroded.
function partsOf(drawing) {
  const [ink, ...edits] = drawing.split("*");
  const [dx, dy, eroded] = [...edits.map(Number), 0, 0, 0];
  return { ink, dx, dy, eroded };
}

const drawingOf = ({ ink, dx, dy, eroded }) => (dx || dy || eroded ? [ink, dx, dy, eroded].join("*") : ink);

// `images` holds ours as counts, 64 after 64.
function bitmap(drawing, images) {
  const { ink, dx, dy, eroded } = partsOf(drawing);
  const number = Number(ink.slice(1));
  const ours = ink.startsWith("~");
  const black = ours
    ? bitmapOfCounts(images.subarray(64 * number, 64 * (number + 1)))
    : bitmapOfStrokes(strokesOf(ink));
  return shifted(erodedBy(black, eroded), dx, dy);
}

function countInk(black) {
  const counts = new Uint8Array(64);
  black.forEach((ink, at) => (counts[8 * (at >> 7) + ((at % SIDE) >> 2)] += ink));
  return counts;
}

const strokesOf = (ink) =>
  ink
    .split(".")
    .filter(Boolean)
    .map((part) => part.match(/../g).map((pair) => [...pair].map((letter) => GRID.indexOf(letter))));

function bitmapOfStrokes(strokes) {
  const black = new Uint8Array(SIDE * SIDE);
  if (!strokes.length) return black;
  const lean = leanOf(strokes);
  const upright = strokes.map((stroke) => stroke.map(([x, y]) => [x - lean * y, y]));
  const sides = [0, 1].map((axis) => upright.flat().map((point) => point[axis]));
  const [[left, right], [top, bottom]] = sides.map((side) => [Math.min(...side), Math.max(...side)]);
  const [width, height] = [Math.max(right - left, 1e-9), Math.max(bottom - top, 1e-9)];
  const across = Math.min(WIDE / width, (STRETCH * TALL) / height);
  const down = Math.min(TALL / height, (STRETCH * WIDE) / width);
  const nearest = new Float64Array(SIDE * SIDE).fill(Infinity);
  for (const stroke of upright) {
    const placed = stroke.map(([x, y]) => [
      (x - (left + right) / 2) * across + SIDE / 2,
      (y - (top + bottom) / 2) * down + SIDE / 2,
    ]);
    placed.forEach((from, n) => measure(nearest, from, placed[n + 1] ?? from));
  }
  const pen = nearest.slice().sort()[INK - 1];
  const reach = Math.min(Math.max(pen, THINNEST * THINNEST), THICKEST * THICKEST);
  return black.map((_, at) => (nearest[at] <= reach ? 1 : 0));
}

// Squared distance of every pixel to one piece of a stroke, where it is the smallest so far.
function measure(nearest, [ax, ay], [bx, by]) {
  const [ux, uy] = [bx - ax, by - ay];
  const length = Math.max(ux * ux + uy * uy, 1e-9);
  for (let at = 0; at < nearest.length; at++) {
    const x = (at % SIDE) + 0.5 - ax;
    const y = Math.floor(at / SIDE) + 0.5 - ay;
    const along = Math.min(Math.max((x * ux + y * uy) / length, 0), 1);
    const [dx, dy] = [x - along * ux, y - along * uy];
    nearest[at] = Math.min(nearest[at], dx * dx + dy * dy);
  }
}

function leanOf(strokes) {
  const pieces = strokes.flatMap((stroke) => stroke.slice(1).map((b, n) => [stroke[n], b]));
  const lengths = pieces.map(([a, b]) => Math.sqrt((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2));
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const length = sum(lengths);
  if (length === 0) return 0;
  const middle = (axis) => sum(pieces.map(([a, b], n) => lengths[n] * (a[axis] + b[axis]))) / (2 * length);
  const middles = [0, 1].map((axis) => {
    const mean = middle(axis);
    return pieces.map(([a, b]) => (a[axis] + b[axis]) / 2 - mean);
  });
  const high = sum(lengths.map((piece, n) => piece * middles[1][n] * middles[1][n]));
  return high > length ? sum(lengths.map((piece, n) => piece * middles[0][n] * middles[1][n])) / high : 0;
}

function bitmapOfCounts(counts) {
  const grey = (row, column) =>
    Math.min(row, column) < 1 || Math.max(row, column) > 8 ? 0 : counts[8 * (row - 1) + column - 1];
  const place = (at) => [(at + 2) >> 2, 2 * ((at + 2) % 4) + 1];
  const smooth = (y, x) => {
    const [[row, down], [column, right]] = [place(y), place(x)];
    const between = (line) => grey(line, column) * (8 - right) + grey(line, column + 1) * right;
    return between(row) * (8 - down) + between(row + 1) * down;
  };
  const black = new Uint8Array(SIDE * SIDE);
  counts.forEach((count, block) => {
    const pixels = Array.from({ length: 16 }, (_, n) => [4 * (block >> 3) + (n >> 2), 4 * (block % 8) + (n % 4)]);
    pixels.sort((a, b) => smooth(...b) - smooth(...a)); // stable: of equal ones the first
    for (const [y, x] of pixels.slice(0, count)) black[SIDE * y + x] = 1;
  });
  return black;
}

function erodedBy(black, times) {
  if (times < 0)
    return erodedBy(
      black.map((ink) => 1 - ink),
      -times,
    ).map((ink) => 1 - ink);
  for (let n = 0; n < times; n++) {
    const before = black;
    const at = (y, x) => before[SIDE * Math.min(Math.max(y, 0), SIDE - 1) + Math.min(Math.max(x, 0), SIDE - 1)];
    black = before.map((ink, place) => {
      const [y, x] = [Math.floor(place / SIDE), place % SIDE];
      return ink & at(y - 1, x) & at(y + 1, x) & at(y, x - 1) & at(y, x + 1);
    });
  }
  return black;
}

function shifted(black, dx, dy) {
  return black.map((_, at) => {
    const [y, x] = [Math.floor(at / SIDE) - dy, (at % SIDE) - dx];
    return Math.min(x, y) < 0 || Math.max(x, y) >= SIDE ? 0 : black[SIDE * y + x];
  });
}

const sumOf = (black) => black.reduce((total, ink) => total + ink, 0);

// What is wrong with a drawing, as a key of REMARKS in ink.py.
function remarkOn(drawing, images) {
  const parts = partsOf(drawing);
  const ink = sumOf(bitmap(drawing, images));
  if (!ink) return "empty";
  if (ink > 1.3 * INK) return "black";
  if (!parts.ink.startsWith("~")) {
    const points = strokesOf(parts.ink).flat();
    const span = (axis) =>
      Math.max(...points.map((point) => point[axis])) - Math.min(...points.map((point) => point[axis]));
    if (span(0) <= 2 && span(1) <= 2) return "dot";
    if (points.flat().some((value) => value === 0 || value === GRID.length - 1)) return "edge";
  }
  return sumOf(bitmap(drawingOf({ ...parts, dx: 0, dy: 0 }), images)) > ink ? "lost" : "";
}
