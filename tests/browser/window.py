"""The page in a browser window of its own: opened from disk, and used as a person does."""

# Curves, ranges and words as they stand, once what was asked for is drawn.
SHOWN = """async (wanted) => {
    const valueOf = (id) => document.getElementById(id).value;
    const there = () => Object.entries(wanted).every(([id, value]) => valueOf(id) === String(value));
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const until = performance.now() + 20000;
    do { await frame(); await frame(); } while (performance.now() < until && !there());
    const plot = document.getElementById('plot');
    return {
        curves: Object.fromEntries(plot.data.map(({ meta, x, y }) => [meta, [Array.from(x), Array.from(y)]])),
        ranges: Object.fromEntries(Object.entries(plot.layout).filter(([name]) => /^[xy]axis/.test(name))
            .map(([name, axis]) => [name, axis.range])),
        sentence: document.getElementById('sentence').textContent,
    };
}"""
SET = """([id, value]) => {
    const control = document.getElementById(id);
    control.value = value;
    for (const event of ['input', 'change']) control.dispatchEvent(new Event(event, { bubbles: true }));
}"""
# What a sheet of paper gets, measured while the browser prints: where the drawing lies, and every text with its colour.
PAPER = """() => matchMedia('print').addEventListener('change', ({ matches }) => {
    if (!matches) return;
    const sides = (element) => (({ left, right }) => [left, right])(element.getBoundingClientRect());
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), range = document.createRange();
    const colors = {};
    while (texts.nextNode()) {
        const text = texts.currentNode, style = getComputedStyle(text.parentElement);
        range.selectNodeContents(text);
        if (text.textContent.trim() && range.getClientRects().length && style.opacity !== '0')
            colors[text.textContent.trim()] = text.parentElement.closest('svg') ? style.fill : style.color;
    }
    window.paper = {
        sheet: sides(document.body),
        drawing: [...document.querySelectorAll('#plot :is(.nsewdrag, text)')].map(sides),
        colors,
        text: document.body.innerText,
    };
})"""


class Window:
    """One browser window on the page; remembers what should never happen."""

    def __init__(self, browser, path, **options):
        self.path, self.wrong = path, []
        options = {"viewport": {"width": 1280, "height": 900}, **options}
        self.context = browser.new_context(**options, service_workers="block", reduced_motion="reduce")
        self.context.route("**/*", self._route)
        self.page = self.context.new_page()
        self.page.on("console", lambda m: self.wrong.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))

    def _route(self, route):
        if route.request.url.split("#")[0] in (self.path.as_uri(), "data:,"):
            route.continue_()
        else:
            self.wrong.append(route.request.url)
            route.abort()

    def open(self, hash=""):
        self.page.goto("about:blank")
        self.page.goto(self.path.as_uri() + hash)
        self.page.wait_for_function("() => document.querySelector('#plot .scatterlayer .trace')")
        return self

    def set(self, **values):
        """Move controls, as a hand does: numbers of options, or the texts of a select."""
        for name, value in values.items():
            self.page.evaluate(SET, [name, str(value)])
        return self.shown(**values)

    def follow(self, hash):
        """Go where a link leads, without opening the page anew."""
        self.page.evaluate("(hash) => { location.hash = hash; }", hash)
        return self.shown()

    def shown(self, **values):
        return self.page.evaluate(SHOWN, values)

    def printed(self, path, **sheet):
        """Print to a PDF; returns what was on the sheet, as PAPER says."""
        self.page.evaluate(PAPER)
        self.page.pdf(path=path, **sheet)
        return self.page.evaluate("() => window.paper")

    @property
    def hash(self):
        return self.page.evaluate("() => location.hash")

    def text(self, id):
        return self.page.locator(f"#{id}").inner_text()

    def value(self, id):
        return int(self.page.locator(f"#{id}").input_value())

    def close(self):
        self.context.close()
        assert self.wrong == []
