"""For tests in Debian's chromium: the browser, and the contrast of all text with what it stands on."""

import os
import shutil

import pytest

CONTRAST = """() => {
  const parse = text => { const found = (text.match(/[\\d.e+-]+/g) || []).map(Number); return text.startsWith('color(') ? [...found.slice(0, 3).map(each => 255 * each), found[3] ?? 1] : [...found.slice(0, 3), found[3] ?? 1]; };
  const over = (top, under) => top.slice(0, 3).map((each, place) => each * top[3] + under[place] * (1 - top[3]));
  const light = colour => { const [r, g, b] = colour.map(each => { each /= 255; return each <= .03928 ? each / 12.92 : ((each + .055) / 1.055) ** 2.4; }); return .2126 * r + .7152 * g + .0722 * b; };
  const ground = element => { const chain = []; for (let each = element; each; each = each.parentElement) chain.unshift(parse(getComputedStyle(each).backgroundColor)); return chain.reduce((under, top) => over(top, under), [255, 255, 255]); };
  const low = [];
  for (const element of document.querySelectorAll('body *')) {
    if (!element.checkVisibility() || !/^(?:H\\d|P|A|B|TD|TH|SPAN|SMALL|CAPTION|LI|CODE|PRE|LABEL|BUTTON|OUTPUT|FIGCAPTION|DT|DD|SUMMARY|text)$/.test(element.tagName) || element.closest('.chart')) continue;
    if (![...element.childNodes].some(each => each.nodeType === 3 && each.data.trim())) continue;
    const style = getComputedStyle(element), under = ground(element), ink = over(parse(element.tagName === 'text' ? style.fill : style.color), under), [a, b] = [light(ink), light(under)].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) low.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)} ${element.textContent.trim().slice(0, 30)}`);
  }
  return low;
}"""
"""What is too faint to read (WCAG 2, 4.5 to 1), a line each; the text of pictures included, but for vega's."""


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    assert path, "no chromium on the path: apt-get install chromium, or leave these tests out"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield browser
        browser.close()
