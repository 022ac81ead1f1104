"""Write every notebook as a page to show or to print: `make html`, into html/.

Each notebook is run. An explorer leaves its photograph (from `make pictures`) and the sentence that it says now, a
question its measured answer, folded away. The pages need no kernel, no network and no script.
"""

import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
SECONDS = 600  # for one cell

# In the kernel, before all else: what is shown is no widget but words.
WORDS = """
from html import escape as _escape
import bn_teach as _bn_teach
from bn_teach.page.data import questions_of as _questions_of

def _says(self, **_):
    getattr(self, "wait", bool)()
    return {"text/html": f'<p class="says">{_escape(self.status, quote=False)}</p>'}

def _asks(self, **_):
    (asked,) = _questions_of({self.name: self.question}).values()
    choices = "".join(f"<li>{_escape(choice, quote=False)}</li>" for choice in asked["choices"])
    prompt, answer = (_escape(text, quote=False) for text in (asked["prompt"], f'{asked["measured"]}. {asked["why"]}'))
    return {"text/html": f'<div class="question"><p><strong>Predict.</strong> {prompt}</p><ul>{choices}</ul>'
                         f'<details><summary>The measured answer</summary><p>{answer}</p></details></div>'}

for _name in (name for name in _bn_teach.__all__ if name.endswith(("Explorer", "Figure", "Prediction"))):
    getattr(_bn_teach, _name)._repr_mimebundle_ = _asks if _name == "Prediction" else _says
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def style():
    """The looks of all pages, the colours of code in light and in dark among them."""
    light, dark = (HtmlFormatter(style=name).get_style_defs(".highlight") for name in ("friendly", "github-dark"))
    page = (ROOT / "tools" / "pages.css").read_text(encoding="utf-8")
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n{page}"


def run(path):
    """Run a notebook whose explorers and questions say in words what they show."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(WORDS))
    NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": path.parent}}).execute()
    del notebook.cells[0]
    notebook.metadata.pop("widgets", None)
    return notebook


def page(notebook, folder):
    """An executed notebook as the text of a page, its pictures in it."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\]\((\w+)\.ipynb\)", r"](\1.html)", cell.source)
            cell.source = re.sub(r"\*\*Want to try it\?[^\n]*\n\n", "", cell.source)
        elif "Prediction(" in cell.source:
            cell.metadata["transient"] = {"remove_source": True}
        for output in cell.get("outputs", []):
            if output.output_type == "stream":  # what a terminal would have written over
                output.text = re.sub(r"[^\n]*\r", "", output.text)
    exporter = HTMLExporter(
        template_name="basic", embed_images=True, exclude_input_prompt=True, exclude_output_prompt=True
    )
    body, _ = exporter.from_notebook_node(notebook, {"metadata": {"path": str(folder)}})
    title = re.search(r"^# (.*)$", notebook.cells[0].source, flags=re.MULTILINE)[1]
    return PAGE.format(title=title, style=style(), body=body)


def main(folder):
    """Write one page for each notebook into a folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for path in NOTEBOOKS:
        written = folder / f"{path.stem}.html"
        written.write_text(page(run(path), path.parent), encoding="utf-8")
        print(written, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
