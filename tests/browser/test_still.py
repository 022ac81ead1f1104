"""The picture that stands in for an explorer: there where no widgets are shown, gone once they are."""

SEEN = "(image) => [image.complete && image.naturalWidth, image.getBoundingClientRect().width]"


def test_the_picture_gives_way_to_the_explorer(lab):
    notebook = lab.open("00_start_here.ipynb")
    picture = notebook.page.locator(".bn-teach-still img")
    notebook.wait_for(lambda: min(picture.evaluate(SEEN)) > 500, what="the picture is loaded and seen")
    assert len(picture.get_attribute("alt")) > 80
    how = notebook.page.locator(".bn-teach-still").get_by_text("Press Shift+Enter in the cell above")
    assert how.bounding_box()["y"] < picture.bounding_box()["y"], "how to run it stands above the picture"
    link = notebook.page.locator(".bn-teach-still a")
    assert link.get_attribute("href").startswith("https://mybinder.org/")
    notebook.run_all()
    assert notebook.errors() == []
    notebook.show()
    notebook.wait_for(lambda: not any(one.is_visible() for one in (how, picture, link)), what="the picture is gone")


def test_a_question_can_be_read_before_it_is_asked(lab):
    notebook = lab.open("00_start_here.ipynb")
    words = notebook.page.get_by_text("Run this cell to answer it.").first
    words.scroll_into_view_if_needed()
    words.wait_for()
    notebook.run_all()
    notebook.wait_for(lambda: notebook.page.get_by_role("button", name="Commit and reveal").count() == 3, what="asked")
    assert notebook.page.get_by_text("Run this cell to answer it.").count() == 0
