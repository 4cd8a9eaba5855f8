"""Where someone is in an album."""

from pathlib import Path

from tui.album import Photo, Sheet
from tui.browsing import Browsing


def sheets(*steps: int, pictures: int = 3) -> list[Sheet]:
    photos = [tuple(Photo(Path(f"{step}_{place}.png")) for place in range(pictures)) for step in steps]
    return [Sheet(str(step), f"step {step}", photo, step == 0) for step, photo in zip(steps, photos, strict=True)]


def browsing(*steps: int) -> Browsing:
    one = Browsing()
    one.update(sheets(*steps))
    return one


def name(sheet: Sheet | None) -> str | None:
    return sheet.name if sheet else None


def test_nothing_is_no_fault() -> None:
    one = browsing()
    one.go(3)
    one.choose(2)
    one.mark()
    assert (one.sheet, one.photo, one.other, one.marked, one.mark_base()) == (None, None, None, None, False)


def test_new_sheets_are_followed_at_the_end_only() -> None:
    one = browsing(0, 20)
    one.update(sheets(0, 20, 40))
    assert name(one.sheet) == "40"
    one.go(1)
    one.update(sheets(0, 10, 20, 40, 60))
    assert name(one.sheet) == "20"
    assert not one.follows
    one.go(99)
    one.update(sheets(0, 60, 80))
    assert name(one.sheet) == "80"


def test_a_sheet_that_is_gone_leaves_its_place_to_another() -> None:
    one = browsing(0, 20, 40, 60)
    one.go(2)
    one.mark()
    one.update(sheets(0, 20))
    assert name(one.sheet) == "20"
    assert one.marked is None


def test_what_is_compared_with_is_the_mark_else_the_base_else_the_one_before() -> None:
    one = browsing(0, 20, 40)
    assert name(one.other) == "0"
    one.go(1)
    one.mark()
    one.go(2)
    assert name(one.other) == "20"
    one.go(1)
    one.mark()
    assert name(one.other) == "0", "marking twice takes the mark back"
    without_base = browsing(20, 40)
    assert name(without_base.other) == "20"
    assert not without_base.mark_base()


def test_the_chosen_prompt_stays_as_far_as_there_is_one() -> None:
    one = browsing(0, 20)
    one.choose(2)
    one.go(0)
    assert one.photo == Photo(Path("0_2.png"))
    one.update(sheets(0, 20, pictures=2))
    assert one.photo == Photo(Path("0_1.png"))


def test_the_chosen_prompt_comes_back_after_a_sheet_that_does_not_have_it() -> None:
    one = browsing(0)
    one.choose(2)
    previews = sheets(10, pictures=2)
    one.update([*sheets(0), *previews])
    assert (one.place, one.photo) == (1, Photo(Path("10_1.png")))
    one.go(0)
    assert one.photo == Photo(Path("0_2.png"))
    one.go(1)
    one.update([*sheets(0), *previews, *sheets(20)])
    assert one.photo == Photo(Path("20_2.png"))
    one.go(1)
    one.moved("up")
    one.go(2)
    assert one.photo == Photo(Path("20_0.png")), "what was chosen on the smaller sheet holds"
