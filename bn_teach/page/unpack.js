// From the text of a run, as packing.py wrote it, to its numbers.
"use strict";

async function unpack(run) {
  const { data, arrays, spared } = run.pack;
  const stream = new Blob([bytesOf(atob(data))]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  let at = 0;
  const numbers = arrays.map(([kind, length]) => {
    const whole = summed(planes.subarray(at, at + 4 * length), length);
    at += 4 * length;
    return kind === "real" ? new Float32Array(whole.map((bits) => bits << spared).buffer) : whole;
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
