"""screen_captions.js in a real Chromium: a sentence to the stored answer, its rules, its history."""

from __future__ import annotations

from typing import Any

SENTENCE = "A man in a grey suit cuts a broad red ribbon with golden scissors"


def test_a_sentence_by_keys_alone(desk: Any) -> None:
    page = desk("captions")
    page.wait_for_selector("canvas.view[data-picture=shown]")
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
    page.keyboard.type(SENTENCE)
    assert page.inner_text("output") == str(len(SENTENCE.split()))
    desk.hand_in(page, by_key=True)
    assert desk.site.answers("captions")[-1] == {"text": SENTENCE}
    assert page.input_value("textarea") == ""


def test_a_sentence_by_mouse(desk: Any) -> None:
    page = desk("captions")
    page.click("textarea")
    page.keyboard.insert_text("  Two women,\nwith hats of straw,   sell fruit on a busy market ")
    desk.hand_in(page)
    text = "Two women, with hats of straw, sell fruit on a busy market"
    assert desk.site.answers("captions")[-1] == {"text": text}


def test_rules_are_said_before_and_at_handing_in(desk: Any) -> None:
    page = desk("captions")
    ticket, stored = desk.ticket(page), len(desk.site.answers("captions"))
    for text, problem in [
        ("", "8 more words"),
        ("A cat sits on a red mat", "1 more word, please"),
        ("See www.example.com for a very nice cat on a mat", "has a link"),
        (" ".join(["word"] * 61), "has 61 words"),
    ]:
        page.fill("textarea", text)
        page.keyboard.press("Control+Enter")
        page.wait_for_selector(f".said.error:has-text('{problem}')")
    assert page.locator(".rules .broken").count() == 1
    assert (desk.ticket(page), len(desk.site.answers("captions"))) == (ticket, stored)


def test_what_the_server_refuses_is_told_beside_the_text(desk: Any) -> None:
    page = desk("captions")
    text = "A long train with many blue wagons leaves the old station"
    page.fill("textarea", text)
    desk.hand_in(page)
    page.visitor.expected.add("422")
    page.fill("textarea", text)
    page.click(".foot button.primary")
    page.wait_for_selector(".problem:has-text('nearly the same as one of your last captions')")
    assert page.input_value("textarea") == text
    page.fill("textarea", "Passengers with heavy bags wait on the platform for their evening train")
    assert page.inner_text(".problem") == ""
    desk.hand_in(page)


def test_undo_goes_by_words_and_survives_a_reload(desk: Any) -> None:
    page = desk("captions")
    page.keyboard.type("one two three")
    page.wait_for_function("() => document.querySelector('.stage').dataset.kept === '13'")
    page.reload()
    desk.ticket(page)
    assert page.input_value("textarea") == "one two three"
    page.click("textarea")
    page.keyboard.press("Control+z")
    page.wait_for_function("() => document.querySelector('textarea').value === 'one two '")
    page.keyboard.press("Control+Shift+z")
    page.wait_for_function("() => document.querySelector('textarea').value === 'one two three'")


def test_text_is_text(desk: Any) -> None:
    page = desk("captions")
    text = 'A sign says "<img src=x onerror=alert(1)>" above an old green door'
    page.fill("textarea", text)
    desk.hand_in(page)
    assert desk.site.answers("captions")[-1] == {"text": text}
