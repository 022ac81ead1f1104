// From text, as packing.py wrote it, to numbers, and to a script.
"use strict";

async function inflate(text) {
  const stream = new Blob([bytesOf(atob(text))]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function runScript(text) {
  const script = document.createElement("script");
  script.textContent = new TextDecoder().decode(await inflate(text));
  document.head.append(script);
}

async function unpack(run) {
  const { data, arrays, spared } = run.pack;
  const planes = await inflate(data);
  let at = 0;
  const numbers = arrays.map(([kind, length]) => {
    const whole = summed(planes.subarray(at, at + 4 * length), length);
    at += 4 * length;
    if (kind === "whole") return whole;
    return new Float32Array((kind === "real" ? whole.map((bits) => bits << spared) : whole).buffer);
  });
  return { ...run, numbers };
}

// A loop: Uint8Array.from takes ten times as long.
function bytesOf(text) {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// From differences of 32-bit whole numbers, all lowest bytes first, to the numbers: see packing.py.
function summed(planes, length) {
  const numbers = new Int32Array(length);
  let number = 0;
  for (let i = 0; i < length; i++) {
    const low = planes[i] | (planes[i + length] << 8);
    number = (number + (low | (planes[i + 2 * length] << 16) | (planes[i + 3 * length] << 24))) | 0;
    numbers[i] = number;
  }
  return numbers;
}
