"""The picture that stands in for an explorer: there where no widgets are shown, gone once they are."""

SEEN = "(image) => [image.complete && image.naturalWidth, image.getBoundingClientRect().width]"


def test_the_picture_gives_way_to_the_explorer(lab):
    notebook = lab.open("00_start_here.ipynb")
    picture = notebook.page.locator(".bn-teach-still img")
    notebook.wait_for(lambda: min(picture.evaluate(SEEN)) > 500, what="the picture is loaded and seen")
    assert len(picture.get_attribute("alt")) > 80
    link = notebook.page.locator(".bn-teach-still a")
    assert link.get_attribute("href").startswith("https://mybinder.org/v2/gh/")
    notebook.run_all()
    assert notebook.errors() == []
    notebook.show()
    notebook.wait_for(lambda: not picture.is_visible() and not link.is_visible(), what="the picture is gone")
