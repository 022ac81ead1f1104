"""The pages of `make html`: opened from disk, all is there without a kernel, a script or a network."""

import re

import nbformat
import pages
import pytest

SHORT = pages.NOTEBOOKS[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The first notebook's page as it is written, and an empty one for each of the others to link to."""
    folder = tmp_path_factory.mktemp("html")
    for path in pages.NOTEBOOKS:
        (folder / f"{path.stem}.html").write_text("", encoding="utf-8")
    text = pages.page(pages.run(SHORT), SHORT.parent)
    (folder / f"{SHORT.stem}.html").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(params=["light", "dark"])
def opened(chromium, folder, request):
    """The page without scripts, in a light or a dark system; nothing but the file itself may be asked for."""
    context = chromium.new_context(java_script_enabled=False, color_scheme=request.param)
    page = context.new_page()
    asked, said = [], []
    page.on("request", lambda event: asked.append(event.url) if not event.url.startswith("data:") else None)
    page.on("console", lambda event: said.append(event.text))
    page.goto((folder / f"{SHORT.stem}.html").as_uri())
    yield page
    assert asked == [page.url]
    assert said == []
    context.close()


def test_pictures_words_and_questions_are_there(opened):
    for picture in opened.locator("img").all():
        assert len(picture.get_attribute("alt")) > 100
        assert picture.bounding_box()["width"] > 500
    assert opened.locator("img").count() == 1
    assert opened.locator(".says").first.text_content().startswith("After 800 steps (9.5 epochs): validation accuracy")
    assert opened.locator(".question").count() == 3
    answer = opened.locator("details p").first
    assert not answer.is_visible()
    opened.locator("summary").first.click()
    assert answer.is_visible()
    assert "it stays exactly the same" in answer.text_content()
    assert opened.get_by_text("Press Shift+Enter").count() == 0


def test_links_between_the_pages_lead_somewhere(opened, folder):
    links = [link.get_attribute("href") for link in opened.locator("a").all()]
    between = [link for link in links if re.fullmatch(r"\w+\.html", link)]
    assert len(set(between)) == len(pages.NOTEBOOKS) - 1
    assert all((folder / link).exists() for link in between)
    assert not any(".ipynb" in link for link in links if "mybinder" not in link)


def test_text_stands_out_from_the_page(opened):
    text, ground = (
        [
            int(number)
            for number in re.findall(r"\d+", opened.locator("body").evaluate(f"(b) => getComputedStyle(b).{of}"))
        ]
        for of in ("color", "backgroundColor")
    )
    assert abs(sum(text) - sum(ground)) > 3 * 150


def test_paper_is_light_and_shows_the_answers(opened):
    opened.emulate_media(media="print")
    assert opened.locator("body").evaluate("(body) => getComputedStyle(body).color") == "rgb(29, 35, 41)"
    assert opened.locator("details p").first.bounding_box()["height"] > 10


@pytest.mark.parametrize("path", pages.NOTEBOOKS, ids=lambda path: path.stem)
def test_links_and_pictures_of_every_notebook_are_carried_over(path):
    text = pages.page(nbformat.read(path, as_version=4), path.parent)
    assert "<script" not in text
    assert all(source.startswith("data:") for source in re.findall(r'<img[^>]* src="([^"]{0,30})', text))
    targets = re.findall(r'href="(\w+)\.html"', text)
    assert set(targets) <= {notebook.stem for notebook in pages.NOTEBOOKS}


def test_of_a_line_that_counts_the_last_is_kept():
    heading = nbformat.v4.new_markdown_cell("# Title")
    counted = nbformat.v4.new_output("stream", text="\r1 of 12 runs\r12 of 12 runs\ndone\n")
    notebook = nbformat.v4.new_notebook(cells=[heading, nbformat.v4.new_code_cell("sweep()", outputs=[counted])])
    text = pages.page(notebook, pages.ROOT)
    assert "12 of 12 runs\ndone" in text
    assert ">1 of 12" not in text
    assert text.count("of 12 runs") == 1
