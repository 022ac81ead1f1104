// Whose statistics: a drawing in its test batch, and a test set from another camera, computed here and now.
// (unpack.js, questions.js, ink.js, pad.js and mixed.js come before this one.)
"use strict";

// `data` is what whose.py wrote, unpacked; `hands` are those of page.js: `form()`, `set(values)`, `broken(error)`.
function whoseStatistics(data, hands) {
  const byId = (id) => document.getElementById(id);
  const { words, amounts, classes } = data;
  const held = (number) => data.numbers[number];
  const network = networkOf(data);
  const labels = held(data.labels);
  const shuffled = [...held(data.shuffled)];
  const orders = ordersOf(labels, shuffled);
  const numberOf = (amount) => (amount === "all" ? Infinity : Number(amount));
  const percent = (share) => (Math.floor(1000 * share + 0.5) / 10).toFixed(1);
  const remembered =
    (compute, found = new Map()) =>
    (key) =>
      found.get(key) ?? found.set(key, compute(key)).get(key);
  const images = remembered((camera) => Float64Array.from(held(data.images[camera])));
  const first = remembered((camera) => linear(images(camera), network.layers[0]));

  // How a mixture is written beside its slider.
  function mixtureLabel(amount, n) {
    const share = sourceWeight(numberOf(amount), n);
    return fill(words.weight, { N: amount, share: percent(share), rest: percent(1 - share) });
  }

  // ---- a drawing in its test batch --------------------------------------------------------------------------------

  const counts = data.drawable ? held(data.images.none).map((value) => Math.round(16 * value)) : null;
  const ours = counts && Uint8Array.from(counts);
  const table = byId("ten");
  let pad = null;

  function neighboursOf({ neighbours, company }) {
    const rows = company === "any" ? shuffled : shuffled.filter((row) => labels[row] === Number(company));
    return rows.slice(0, Number(neighbours));
  }

  function showDrawing(values, texts) {
    const input = countInk(bitmap(values.drawing, ours));
    const near = neighboursOf(values);
    const inputs = network.layers[0].inputs;
    const together = new Float64Array((near.length + 1) * inputs);
    together.set(Float64Array.from(input, (count) => count / 16));
    near.forEach((row, n) =>
      together.set(images(values.over).subarray(row * inputs, (row + 1) * inputs), (n + 1) * inputs),
    );
    const z = linear(together, network.layers[0]);
    const batch = { order: [...Array(near.length + 1).keys()], starts: [0] };
    const shares = (amount) => probabilities(mixed(network, z, batch, numberOf(amount)).subarray(0, classes));
    const falling = [...amounts].reverse().map((amount) => ({ amount, shares: shares(amount) }));
    const empty = !input.some(Boolean);
    const named = { running: falling[0].shares, mixture: shares(values.weight), own: falling.at(-1).shares };
    showTen(named, empty);
    byId("ten-sentence").textContent = empty ? words.nothing : answersOf(named, falling, near.length);
    byId("company-sentence").textContent = near.length ? fill(words.company, { count: near.length, ...texts }) : "";
    showTogether(together.subarray(inputs));
    pad.show(values.drawing);
  }

  function answersOf(named, falling, neighbours) {
    const fields = {};
    for (const [name, shares] of Object.entries(named)) {
      fields[name] = bestOf(shares, classes, 0);
      fields[`${name}_share`] = percent(Math.max(...shares));
    }
    const answers = falling.map(({ shares }) => bestOf(shares, classes, 0));
    const flips = answers
      .slice(1)
      .flatMap((after, k) =>
        after === answers[k]
          ? []
          : [fill(words.flip, { before: answers[k], after, more: falling[k].amount, less: falling[k + 1].amount })],
      );
    const last = flips.length ? fill(words.flips, { flips: flips.join(", then ") }) : words.steady;
    return [fill(words.answers, fields), last, ...(neighbours ? [] : [words.alone])].join(" ");
  }

  function showTen(named, empty) {
    for (const [name, shares] of Object.entries(named)) {
      const best = bestOf(shares, classes, 0);
      table.querySelectorAll(`[data-whose=${name}]`).forEach((cell, digit) => {
        cell.style.setProperty("--share", empty ? 0 : shares[digit]);
        cell.textContent = empty ? "" : percent(shares[digit]);
        cell.classList.toggle("best", !empty && digit === best);
      });
    }
  }

  // Neighbours as pictures: 8 x 8 squares, in the colour of the text.
  function showTogether(inputs) {
    const canvas = byId("together");
    const count = inputs.length / 64;
    const columns = 8;
    Object.assign(canvas, { width: columns * 10, height: Math.max(Math.ceil(count / columns), 1) * 10 });
    canvas.hidden = !count;
    const pen = canvas.getContext("2d");
    pen.fillStyle = getComputedStyle(canvas).color;
    inputs.forEach((value, at) => {
      const [image, y, x] = [Math.floor(at / 64), (at % 64) >> 3, at % 8];
      pen.globalAlpha = Math.min(Math.max(value, 0), 1);
      pen.fillRect((image % columns) * 10 + x, Math.floor(image / columns) * 10 + y, 1, 1);
    });
  }

  // ---- a test set from another camera ----------------------------------------------------------------------------

  const plot = byId("bench-plot");
  const map = byId("bench-map");
  let drawn = "";
  let filling = ""; // the table that is being filled

  const accuracy = remembered((key) => {
    const [camera, order, n, amount] = key.split("/");
    const scores = mixed(network, first(camera), group(orders[order], Number(n)), numberOf(amount));
    const right = [...labels].filter((label, row) => bestOf(scores, classes, row) === label);
    return right.length / labels.length;
  });

  function showTestSet(values, texts) {
    const { images: camera, order, n, N } = values;
    const share = sourceWeight(numberOf(N), Number(n));
    const name = share === 1 ? "running" : share > 0 ? "mixture" : n === "1" ? "alone" : "own";
    const fields = {
      ...texts,
      accuracy: percent(accuracy([camera, order, n, N].join("/"))),
      count: labels.length,
      examples: data.examples,
      share: percent(share),
      rest: percent(1 - share),
    };
    byId("bench-sentence").textContent = `${fill(words.accuracy, fields)} ${fill(words[name], fields)}`;
    showPicture(values)?.catch(hands.broken);
    showTable(values);
  }

  // What comes into one unit of layer 1, what is handed on, and by which mean.
  function unitOf({ images: camera, order, n, N }) {
    const [norm] = network.norms;
    const z = first(camera);
    const { order: rows, starts } = group(orders[order], Number(n));
    const values = Float64Array.from(rows, (row) => z[row * norm.units + data.unit]);
    const source = {
      mean: norm.mean.subarray(data.unit, data.unit + 1),
      variance: norm.variance.subarray(data.unit, data.unit + 1),
    };
    const on = new Float64Array(values.length);
    const means = starts.map((start, batch) => {
      const end = starts[batch + 1] ?? values.length;
      const used = statistics(values, 1, start, end, source, sourceWeight(numberOf(N), end - start));
      for (let at = start; at < end; at++)
        on[at] = (values[at] - used.mean[0]) / Math.sqrt(used.variance[0] + norm.eps);
      return used.mean[0];
    });
    return { values, on, means, running: norm.mean[data.unit] };
  }

  function shareInBars(values, edges) {
    const shares = new Float64Array(edges.length - 1);
    const [low, high] = [edges[0], edges.at(-1)];
    for (const value of values) {
      const bar = Math.floor(((value - low) / (high - low)) * shares.length);
      if (bar >= 0 && bar < shares.length) shares[bar] += 1 / values.length;
    }
    return shares;
  }

  function curvesOf(values) {
    const { values: come, on, means, running } = unitOf(values);
    const [before, after] = data.edges;
    const middles = (edges) => Float64Array.from(edges.slice(1), (edge, k) => (edge + edges[k]) / 2);
    const highest = 3.5 * Math.max(...data.training);
    return {
      "training images come in": [middles(before), Float64Array.from(data.training)],
      "these images come in": [middles(before), shareInBars(come, before)],
      "mean that a test batch is normalised by": [Float64Array.from(means), new Float64Array(means.length)],
      "running mean": [Float64Array.of(running, running), Float64Array.of(0, highest)],
      "training images are handed on": [middles(after), Float64Array.from(data.training)],
      "these images are handed on": [middles(after), shareInBars(on, after)],
    };
  }

  function showPicture(values) {
    const curves = curvesOf(values);
    const all = [...data.traces.keys()];
    const coordinates = (which, axis) => which.map((t) => curves[data.traces[t].meta][axis]);
    if (drawn === hands.form()) {
      const moved = all.filter((t) => !/^(training|running)/.test(data.traces[t].meta)); // those two stay
      return Plotly.restyle(plot, { x: coordinates(moved, 0), y: coordinates(moved, 1) }, moved);
    }
    drawn = hands.form();
    plot.hidden = false;
    const [x, y] = [coordinates(all, 0), coordinates(all, 1)];
    const traces = data.traces.map((trace, t) => ({ ...trace, x: x[t], y: y[t] }));
    return Plotly.react(plot, traces, structuredClone(data.layouts[drawn]), hands.config);
  }

  // Cell after cell, between two frames of the screen, so that a slider never waits for the table.
  function showTable(values) {
    const { images: camera, order } = values;
    for (const cell of map.querySelectorAll("button")) {
      const here = cell.dataset.n === values.n && cell.dataset.amount === values.N;
      if (here) cell.setAttribute("aria-current", "true");
      else cell.removeAttribute("aria-current");
    }
    if (filling === `${camera}/${order}`) return;
    const now = (filling = `${camera}/${order}`);
    const cells = [...map.querySelectorAll("button")];
    const next = (deadline) => {
      while (filling === now && cells.length && performance.now() < deadline) {
        const cell = cells.shift();
        const share = accuracy([camera, order, cell.dataset.n, cell.dataset.amount].join("/"));
        cell.textContent = percent(share);
        cell.parentElement.className = `depth-${depthOf(share)}`;
      }
      if (filling === now && cells.length) setTimeout(() => next(performance.now() + 12));
    };
    setTimeout(() => next(performance.now() + 12));
  }

  const depthOf = (share) => data.depths.filter((depth) => 100 - 100 * share >= depth).length;

  // ---- begin ------------------------------------------------------------------------------------------------------

  for (const cell of map.querySelectorAll("td[data-n]")) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: cell.textContent });
    Object.assign(button.dataset, { n: cell.dataset.n, amount: cell.dataset.amount });
    button.addEventListener("click", () => hands.set({ N: button.dataset.amount, n: button.dataset.n }));
    cell.replaceChildren(button);
  }
  if (data.drawable) {
    byId("drawn-still").remove();
    pad = drawingPad(byId("pad"), {
      images: ours,
      labels: [...labels],
      remarks: data.remarks,
      onChange: (drawing, done) => hands.set({ drawing }, done),
    });
  }

  const shown = {};
  const changed = (part, key) => shown[part] !== key && (shown[part] = key);

  return {
    mixtureLabel,
    // `values` and `texts` of all controls, by name: as in a link, and as read.
    show(values, texts) {
      const of = (names) => names.map((name) => values[name]).join("|");
      if (data.drawable && changed("draw", of(["drawing", "neighbours", "company", "over", "weight"])))
        showDrawing(values, texts);
      if (changed("bench", `${of(["images", "order", "n", "N"])}|${hands.form()}`)) showTestSet(values, texts);
    },
  };
}
