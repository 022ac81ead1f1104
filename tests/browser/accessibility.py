"""What axe-core finds in the page, and the contrast of texts in plots, which axe cannot judge."""

import importlib.util
import os
from pathlib import Path


def find_axe():
    """The path of ``axe.min.js`` (from the PyPI package axe-playwright-python, or $BN_TEACH_AXE), or None."""
    if path := os.environ.get("BN_TEACH_AXE"):
        return Path(path)
    spec = importlib.util.find_spec("axe_playwright_python")
    path = Path(spec.origin).with_name("axe.min.js") if spec and spec.origin else None
    return path if path and path.exists() else None


def mark(page, number=None):
    """A selector of all explorers, or of the one with this number, which is marked for it."""
    if number is None:
        return ".bn-teach"
    page.evaluate("(number) => { document.querySelectorAll('.bn-teach')[number].dataset.number = number; }", number)
    return f'.bn-teach[data-number="{number}"]'


def violations(page, selector=".bn-teach"):
    """Run axe-core on the elements that match; return what is wrong as readable strings (an empty list is good).

    Two things are added. JupyterLab's ``<body>`` has no height and hides its overflow, so that axe takes everything for
    invisible, checks no colour and passes: it gets a height meanwhile, and seeing no text is an error. And axe cannot
    judge text in a drawing (another drawing lies above it): ``plot_contrast`` does.
    """
    source = find_axe()
    assert source, "axe-core is missing: pip install axe-playwright-python"
    if not page.evaluate("() => typeof window.axe === 'object'"):
        page.evaluate(source.read_text(encoding="utf-8"))
    result = page.evaluate(
        """async (selector) => {
            const body = document.body.style, height = body.height;
            body.height = '100vh';
            try {
                const { violations, passes } = await window.axe.run({ include: [[selector]] });
                return { violations, passes };
            } finally {
                body.height = height;
            }
        }""",
        selector,
    )
    found = [
        f"{rule['id']}: {node['target'][0]}: {node['failureSummary']}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]
    judged = [
        check["data"]["contrastRatio"]
        for rule in result["passes"] + result["violations"]
        if rule["id"] == "color-contrast"
        for node in rule["nodes"]
        for check in node["any"]
        if (check["data"] or {}).get("contrastRatio")
    ]
    if not judged:
        found.append("color-contrast: axe saw no text at all (is the explorer on the screen?)")
    found += [
        f"plot text {text!r} has a contrast of {ratio:.2f}, 4.5 is expected"
        for text, ratio in plot_contrast(page, selector).items()
        if ratio < 4.5
    ]
    return found


def plot_contrast(page, selector=".bn-teach"):
    """Contrast (1 to 21, as in WCAG) of every text in the plots, hover labels aside, with the page behind it."""
    return page.evaluate(
        r"""(selector) => {
            const parse = (color) => {
                const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
                return { rgb: [r, g, b], a };
            };
            const over = (top, under) => top.rgb.map((c, i) => c * top.a + under[i] * (1 - top.a));
            const luminance = (rgb) => {
                const [r, g, b] = rgb.map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const behind = (element) => {
                if (!element) return [255, 255, 255];
                const own = parse(getComputedStyle(element).backgroundColor);
                return own.a === 1 ? own.rgb : over(own, behind(element.parentElement));
            };
            const found = {};
            for (const text of document.querySelectorAll(`${selector} .main-svg text`)) {
                if (text.closest('.hoverlayer') || !text.textContent.trim()) continue;
                const style = getComputedStyle(text), fill = parse(style.fill), page = behind(text);
                fill.a *= Number(style.opacity) * Number(style.fillOpacity);
                const [dark, light] = [luminance(over(fill, page)), luminance(page)].sort((a, b) => a - b);
                const ratio = (light + 0.05) / (dark + 0.05), name = text.textContent.trim();
                found[name] = Math.min(ratio, found[name] ?? 21);
            }
            return found;
        }""",
        selector,
    )
