// plotly.js has five megabytes, and on a slow machine takes seconds to read. anywidget gives a widget two seconds to get
// ready and then drops, for good, whatever the kernel tells it. So this is ready at once: it reads plotly.js in its own
// time, keeps what the kernel says meanwhile, and passes it on. On a page that is slower still even this comes too late.
// So it asks the kernel for a sign of life: who never hears one was dropped, goes on asking, and is given a new figure.

const SAYINGS = ["addTraces", "deleteTraces", "moveTraces", "restyle", "relayout", "update", "animate"];

let plotly; // read once for all the figures of a page

function read(source) {
  plotly ??= idle().then(() => import(URL.createObjectURL(new Blob([source], { type: "text/javascript" }))));
  return plotly;
}

// Reading it stops all else on the page while the two seconds of other widgets run: they get ready first.
function idle() {
  return new Promise((ready) => {
    if (window.requestIdleCallback) window.requestIdleCallback(ready, { timeout: 2000 });
    else setTimeout(ready, 200); // Safari
  });
}

// What is said from now on; returns the list that it grows, and how to stop.
function listen(model) {
  const said = [];
  const ears = SAYINGS.map((what) => {
    const name = `_py2js_${what}`;
    return [`change:${name}`, () => model.get(name) && said.push([name, model.get(name)])];
  });
  for (const [event, ear] of ears) model.on(event, ear);
  return [said, () => ears.forEach(([event, ear]) => model.off(event, ear))];
}

// Ask until an answer is heard, less and less often: the kernel may be busy, and this page may not have come to reading
// what the kernel answered.
async function ask(model) {
  let heard = false;
  model.on("msg:custom", () => (heard = true));
  for (let asked = 0; !heard; asked++) {
    model.send({ asked });
    await new Promise((later) => setTimeout(later, 4000 * 2 ** asked));
    await new Promise((free) => (window.requestIdleCallback ?? setTimeout)(free));
  }
}

export default () => {
  let figure;
  return {
    initialize(context) {
      const { model } = context;
      const [said, stop] = listen(model);
      figure = read(model.get("_plotly")).then(async ({ default: make }) => {
        const made = make();
        await made.initialize(context);
        stop();
        for (const [name, value] of said) {
          model.set(name, value);
          model.set(name, null); // as the kernel does: a message, not a state
        }
        ask(model);
        return made;
      });
    },
    async render(context) {
      return (await figure).render(context);
    },
  };
};
