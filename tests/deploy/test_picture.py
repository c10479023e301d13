"""Pictures are plain SVG of what was measured."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from deploy.dashboards.picture import picture

SVG = "{http://www.w3.org/2000/svg}"


def test_a_picture_has_a_line_for_each_series_from_zero_to_the_most() -> None:
    series = {"allow": [(0.0, 0.0), (10.0, 4.0)], "block & more": [(0.0, 2.0), (10.0, 2.0)]}
    drawn = ET.fromstring(picture("Requests <all>", "/s", series))  # noqa: S314 - our own

    lines = [line.attrib["points"] for line in drawn.iter(f"{SVG}polyline")]
    assert lines == ["56.0,190.0 704.0,34.0", "56.0,112.0 704.0,112.0"]
    assert {"Requests <all>", "block & more", "4 /s"} <= {text.text for text in drawn.iter(f"{SVG}text")}
