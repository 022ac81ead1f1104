// Inference under mixed statistics: `mixed` and `group` of lessons/whose_statistics/experiment.py, in the same numbers.
"use strict";

// The network that whose.py packed, unpacked.
function networkOf({ network, numbers }) {
  const doubles = (its, names) =>
    Object.fromEntries(names.map((name) => [name, its[name] === null ? null : Float64Array.from(numbers[its[name]])]));
  return {
    activation: network.activation,
    layers: network.layers.map((layer) => ({ ...layer, ...doubles(layer, ["weight", "bias"]) })),
    norms: network.norms.map((norm) => ({ ...norm, ...doubles(norm, ["gamma", "beta", "mean", "variance"]) })),
  };
}

// Rows times a weight matrix. Much is 0 (paper, and what ReLU cut off), and is skipped; the rest goes four by four.
function linear(x, { weight, bias, inputs, outputs }) {
  const rows = x.length / inputs;
  const y = new Float64Array(rows * outputs);
  const there = new Int32Array(inputs);
  for (let row = 0; row < rows; row++) {
    const sums = y.subarray(row * outputs, (row + 1) * outputs);
    if (bias) sums.set(bias);
    let count = 0;
    for (let i = 0; i < inputs; i++) if (x[row * inputs + i] !== 0) there[count++] = i;
    const value = (k) => (k < count ? x[row * inputs + there[k]] : 0);
    const place = (k) => (k < count ? there[k] * outputs : 0);
    for (let k = 0; k < count; k += 4) {
      const [v0, v1, v2, v3] = [value(k), value(k + 1), value(k + 2), value(k + 3)];
      const [p0, p1, p2, p3] = [place(k), place(k + 1), place(k + 2), place(k + 3)];
      for (let o = 0; o < outputs; o++) {
        sums[o] += v0 * weight[p0 + o] + v1 * weight[p1 + o] + v2 * weight[p2 + o] + v3 * weight[p3 + o];
      }
    }
  }
  return y;
}

const ACTIVATIONS = {
  relu: (value) => (value > 0 ? value : 0),
  sigmoid: (value) => 0.5 + 0.5 * Math.tanh(0.5 * value),
};

// The training images weigh N / (N + n) among the n of a test batch; N = Infinity leaves them alone.
const sourceWeight = (N, n) => (N === Infinity ? 1 : N / (N + n));

// By which mean and variance one batch, rows `start` to `end` of z, is normalised.
function statistics(z, units, start, end, source, weight) {
  const mean = new Float64Array(units);
  const variance = new Float64Array(units);
  const n = end - start;
  for (let row = start; row < end; row++) {
    for (let unit = 0; unit < units; unit++) mean[unit] += z[row * units + unit] / n;
  }
  for (let row = start; row < end; row++) {
    for (let unit = 0; unit < units; unit++) variance[unit] += (z[row * units + unit] - mean[unit]) ** 2 / n;
  }
  for (let unit = 0; unit < units; unit++) {
    mean[unit] = weight * source.mean[unit] + (1 - weight) * mean[unit];
    variance[unit] = weight * source.variance[unit] + (1 - weight) * variance[unit];
  }
  return { mean, variance };
}

// One batch norm and its activation, in place.
function normalise(z, starts, norm, N, activation) {
  const { units, gamma, beta, eps } = norm;
  const rows = z.length / units;
  starts.forEach((start, batch) => {
    const end = starts[batch + 1] ?? rows;
    const { mean, variance } = statistics(z, units, start, end, norm, sourceWeight(N, end - start));
    const scale = mean.map((_, unit) => gamma[unit] / Math.sqrt(variance[unit] + eps));
    for (let row = start; row < end; row++) {
      for (let unit = 0; unit < units; unit++) {
        const at = row * units + unit;
        z[at] = activation(scale[unit] * (z[at] - mean[unit]) + beta[unit]);
      }
    }
  });
}

// Class scores of images in batches. `first` is what the first layer makes of them (`linear`): no statistics enter,
// so whoever tries many mixtures computes it once. `order` lists rows batch after batch, `starts` where each begins.
function mixed(network, first, { order, starts }, N) {
  const { layers, norms, activation } = network;
  const { units } = norms[0];
  let z = new Float64Array(order.length * units);
  order.forEach((row, place) => z.set(first.subarray(row * units, (row + 1) * units), place * units));
  norms.forEach((norm, n) => {
    normalise(z, starts, norm, N, ACTIVATIONS[activation]);
    z = linear(z, layers[n + 1]);
  });
  const { outputs } = layers.at(-1);
  const scores = new Float64Array(z.length);
  order.forEach((row, place) => scores.set(z.subarray(place * outputs, (place + 1) * outputs), row * outputs));
  return scores;
}

// In which order rows come into batches, as lists of rows that share no batch.
function ordersOf(labels, shuffled) {
  const classes = [...new Set(labels)].sort((a, b) => a - b);
  return { shuffled: [shuffled], sorted: classes.map((label) => shuffled.filter((row) => labels[row] === label)) };
}

// Test batches of n; what fills none joins the batch before.
function group(runs, n) {
  const starts = [];
  let at = 0;
  for (const run of runs) {
    for (let k = 0; k < Math.max(Math.floor(run.length / n), 1); k++) starts.push(at + k * n);
    at += run.length;
  }
  return { order: runs.flat(), starts };
}

function bestOf(scores, classes, row) {
  let best = 0;
  for (let k = 1; k < classes; k++) if (scores[row * classes + k] > scores[row * classes + best]) best = k;
  return best;
}

function probabilities(scores) {
  const highest = Math.max(...scores);
  const shares = Array.from(scores, (score) => Math.exp(score - highest));
  const all = shares.reduce((total, share) => total + share, 0);
  return shares.map((share) => share / all);
}
