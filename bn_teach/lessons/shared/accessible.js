// Keeps the explorer around this widget usable with a keyboard and a screen reader. What it does for whom is told in
// accessible.py. How: everything is derived from what the page shows, and nothing is written that is right already. One
// observer watches boxes, controls and the figure's frame; the inside of a figure, which changes all the time, is not
// watched. When a control changed it is looked at again, when anything else changed everything is.

const BOX = ".widget-box, .widget-accordion, .jupyter-widget-Collapse, .jupyter-widget-Collapse-contents";
const FRAME = ".js-plotly-plot, .plot-container, .svg-container";
const CONTROL = ".widget-slider, .widget-play, .widget-toggle-buttons, .widget-radio, .widget-hprogress, .widget-text, " +
  ".widget-dropdown, .widget-checkbox, .jupyter-widget-Collapse-header, .jupyter-widgets.widget-toggle-button";

// Below this width, in pixels, panels side by side have titles and ticks on top of each other.
const NARROW = 760;
const LOST = "This picture no longer moves, because its kernel was restarted or is gone. To have it back, click into the " +
  "cell above it and press Shift+Enter, or take Run > Run All Cells.";

const OUTLINE = { childList: true, attributes: true, attributeFilter: ["class"] };
const INSIDE = {
  childList: true, subtree: true, characterData: true, attributes: true,
  // noUiSlider and ipywidgets write these again whenever a value changes.
  attributeFilter: ["class", "style", "title", "aria-valuetext", "contenteditable"],
};

// An id that no other explorer has: each of them loads this file anew.
function identified(element) {
  element.id ||= `bn-teach-${Math.random().toString(36).slice(2)}`;
  return element.id;
}

function set(element, name, value) {
  if (value === null || value === "") element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

// A widget without a tooltip says "null" when the mouse rests on its label.
function dropNullTitles(element) {
  if (element.matches("[title=null]")) element.removeAttribute("title");
  for (const inner of element.querySelectorAll("[title=null]")) inner.removeAttribute("title");
}

function text(element) {
  return element?.textContent.replaceAll("\u200b", "").trim() ?? "";
}

function nameOf(control) {
  return text(control.querySelector(":scope > .widget-label"));
}

function slider(control) {
  const name = nameOf(control);
  const readout = control.querySelector(".widget-readout");
  for (const handle of control.querySelectorAll(".noUi-handle")) {
    set(handle, "aria-label", name);
    set(handle, "aria-valuetext", text(readout));
    const off = handle.closest("[disabled]") !== null;
    set(handle, "aria-disabled", off ? "true" : null);
  }
  // A number typed into the readout of an IntSlider is taken. SelectionSlider offers to edit its readout too, and then
  // ignores what was typed. (It is the one without the class that all other widgets have.)
  if (!readout) return;
  if (!control.classList.contains("jupyter-widgets")) set(readout, "contenteditable", "false");
  const editable = readout.getAttribute("contenteditable") === "true";
  set(readout, "role", editable ? "textbox" : null);
  set(readout, "aria-label", editable && name ? `${name}, type a value` : null);
}

function play(control) {
  for (const button of control.querySelectorAll("button")) {
    const icon = button.querySelector("i")?.classList;
    if (icon?.contains("fa-play")) set(button, "aria-label", "Play");
    else if (icon?.contains("fa-pause")) set(button, "aria-label", "Pause");
    else if (icon?.contains("fa-stop")) set(button, "aria-label", "Stop and rewind");
    else if (icon?.contains("fa-retweet")) {
      set(button, "aria-label", "Repeat");
      set(button, "aria-pressed", button.classList.contains("mod-active"));
    }
    set(button, "title", button.getAttribute("aria-label"));
  }
}

function progress(control) {
  const track = control.querySelector(".progress");
  const share = parseFloat(control.querySelector(".progress-bar")?.style.width);
  if (!track) return;
  set(track, "role", "progressbar");
  set(track, "aria-label", nameOf(control) || "progress");
  set(track, "aria-valuemin", 0);
  set(track, "aria-valuemax", 100);
  set(track, "aria-valuenow", Number.isFinite(share) ? Math.round(share) : null);
}

function group(control, role) {
  set(control, "role", role);
  set(control, "aria-label", nameOf(control));
  for (const button of control.querySelectorAll("button")) set(button, "aria-pressed", button.classList.contains("mod-active"));
}

// Radio buttons of one name are one stop for Tab, and arrow keys go from one to the next.
function radio(control) {
  group(control, "radiogroup");
  for (const button of control.querySelectorAll("input")) set(button, "name", identified(control));
}

function accordion(header) {
  const panel = header.parentElement;
  const contents = panel.querySelector(":scope > .jupyter-widget-Collapse-contents");
  set(header, "role", "button");
  header.querySelectorAll("i").forEach((icon) => set(icon, "aria-hidden", "true")); // its letter is a part of the name else
  set(header, "tabindex", 0);
  set(header, "aria-expanded", panel.classList.contains("jupyter-widget-Collapse-open"));
  if (contents) {
    set(header, "aria-controls", identified(contents));
  }
}

function plot(figure, label, height, status) {
  // The figure's own buttons must stay reachable, so its first drawing is the picture and the others are hidden.
  figure.querySelectorAll(".svg-container > .main-svg").forEach((drawing, layer) => {
    if (layer > 0) return set(drawing, "aria-hidden", "true");
    set(drawing, "role", "img");
    set(drawing, "aria-label", label || "figure");
    set(drawing, "aria-describedby", status?.id ?? null);
  });
  if (!height) return;
  figure.style.height = `${height}px`;
  const drawing = figure.querySelector(".main-svg");
  if (drawing && Number(drawing.getAttribute("height")) !== height) window.dispatchEvent(new Event("resize"));
}

function render({ model, el }) {
  let root = null;
  let width = 0;
  const watched = new WeakMap();
  const kernel = model.widget_manager?.kernel; // of JupyterLab and Notebook 7
  const notice = document.createElement("p");
  notice.className = "bn-teach-lost";
  notice.setAttribute("role", "alert");

  function watch(element, options) {
    if (watched.get(element) === options) return;
    watched.set(element, options);
    observer.observe(element, options);
  }

  function repair(control) {
    const kinds = control.classList;
    if (kinds.contains("widget-slider")) slider(control);
    else if (kinds.contains("widget-play")) play(control);
    else if (kinds.contains("widget-hprogress")) progress(control);
    else if (kinds.contains("widget-radio")) radio(control);
    else if (kinds.contains("widget-toggle-buttons")) group(control, "group");
    else if (kinds.contains("widget-toggle-button")) set(control, "aria-pressed", kinds.contains("mod-active"));
    else if (kinds.contains("jupyter-widget-Collapse-header")) accordion(control);
    dropNullTitles(control);
  }

  function update(records) {
    const changed = new Set(records?.map(({ target }) => (target.closest ? target : target.parentElement)?.closest(CONTROL)));
    if (changed.size === 0 || changed.has(null) || changed.has(undefined)) updateAll();
    else changed.forEach(repair);
    const status = root.querySelector(".bn-teach-status");
    if (status) set(status, "aria-live", root.querySelector(".widget-play .fa-pause") ? "off" : "polite");
    tellLoss();
    observer.takeRecords(); // what was changed here is no news
  }

  // What the kernel said last would stay for ever ("Training ..."), so something else is said in its place.
  function tellLoss() {
    const restarted = root.classList.contains("jupyter-widgets-disconnected"); // ipywidgets sees this
    const lost = restarted || kernel?.isDisposed || kernel?.status === "dead"; // and not the end of the whole server
    if (lost === notice.isConnected) return;
    root.classList.toggle("bn-teach-gone", lost);
    notice.textContent = lost ? LOST : "";
    if (lost) root.append(notice);
    else notice.remove();
  }

  function updateAll() {
    for (const box of [root, ...root.querySelectorAll(BOX)]) {
      watch(box, OUTLINE);
      for (const child of box.children) if (!child.matches(CONTROL)) watch(child, OUTLINE);
    }
    for (const frame of root.querySelectorAll(FRAME)) watch(frame, OUTLINE);
    for (const control of root.querySelectorAll(CONTROL)) {
      watch(control, INSIDE);
      repair(control);
    }
    const status = root.querySelector(".bn-teach-status");
    if (status) {
      identified(status);
      set(status, "role", "status");
      set(status, "aria-atomic", "true");
    }
    dropNullTitles(root);
    const label = model.get("plot_label"), height = model.get("plot_heights")[Number(width < NARROW)];
    for (const figure of root.querySelectorAll(".js-plotly-plot")) plot(figure, label, height, status);
    set(root, "role", model.get("label") ? "group" : null);
    set(root, "aria-label", model.get("label"));
  }

  // A control's own keys (arrows, Home, a letter in a drop-down) are shortcuts of the notebook too: it would go to another
  // cell, or delete this one. This mark, seen by JupyterLab and Notebook 7, takes them from it; Ctrl+S and Shift+Enter stay.
  function claim(event) {
    if (!root?.contains(event.target)) return;
    const theirs = event.ctrlKey || event.metaKey || event.altKey || event.key === "Enter" || event.key === "Escape";
    set(event.target, "data-lm-suppress-shortcuts", theirs ? null : "true");
  }

  function press(event) {
    // A header that is a <div> is not pressed by Enter or Space unless someone does it.
    if ((event.key === "Enter" || event.key === " ") && event.target.matches(".jupyter-widget-Collapse-header")) {
      event.preventDefault();
      event.stopPropagation();
      event.target.click();
    }
  }

  // A figure hears of the window's size only, and must be told of the cell's. The kernel arranges its panels.
  const sizes = new ResizeObserver(() => {
    if (!root.clientWidth || root.clientWidth === width) return;
    width = root.clientWidth;
    root.classList.toggle("bn-teach-narrow", width < NARROW);
    if (model.get("narrow") !== width < NARROW) {
      model.set("narrow", width < NARROW);
      model.save_changes();
    }
    updateAll();
    window.dispatchEvent(new Event("resize"));
  });
  const observer = new MutationObserver(update);

  // JupyterLab attaches this element after it was rendered; only then is the explorer around it.
  let frame = 0;
  function start() {
    root = el.closest(".bn-teach");
    if (!root) return void (frame = requestAnimationFrame(start));
    root.addEventListener("keydown", press);
    window.addEventListener("keydown", claim, true); // before JupyterLab, which listens at the document
    sizes.observe(root);
    update();
  }

  el.classList.add("bn-teach-accessible");
  const renamed = () => root && update();
  const names = ["change:label", "change:plot_label"];
  for (const name of names) model.on(name, renamed);
  const signals = [kernel?.disposed, kernel?.statusChanged];
  for (const signal of signals) signal?.connect(renamed);
  start();
  return () => {
    cancelAnimationFrame(frame);
    sizes.disconnect();
    observer.disconnect();
    root?.removeEventListener("keydown", press);
    window.removeEventListener("keydown", claim, true);
    notice.remove();
    for (const name of names) model.off(name, renamed);
    for (const signal of signals) signal?.disconnect(renamed);
  };
}

export default { render };
