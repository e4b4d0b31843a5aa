"""The page of a dump: well formed, complete, on its own, and nothing in it that was not escaped."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser

import pytest
from PIL import Image

from rawseg import xray
from rawseg.errors import CheckpointError
from rawseg.models.mask_rcnn import FATES, STAGES
from rawseg.xray.drawings import PICTURES
from rawseg.xray.fates import candidates_of_proposals, counts
from rawseg.xray.page import MOST, SENTENCES, write_page

NAMES = ["ground", "<b>cup</b>", 'a & "b"']
VOID = {"meta", "img"}


class Reader(HTMLParser):
    """Checks that every tag is closed, and collects headings, tables and images."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.headings: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.captions: list[str] = []
        self.images: list[str] = []
        self.links: list[str] = []
        self.identities: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            self.images.append(given["src"])
        if tag == "a":
            self.links.append(given["href"])
        if "id" in given:
            self.identities.append(given["id"])
        if tag == "table":
            self.tables.append([])
            self.captions.append("")
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag == "h2":
            self.headings.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        where = self.open[-1] if self.open else ""
        if where in ("td", "th"):
            self.tables[-1][-1][-1] += data
        if where == "caption":
            self.captions[-1] += data
        if where == "h2":
            self.headings[-1] += data

    def table(self, caption: str) -> list[list[str]]:
        """Return the rows below the head of the one table whose caption begins so."""
        (found,) = [table for table, text in zip(self.tables, self.captions) if text.startswith(caption)]
        return found[1:]


@pytest.fixture(scope="module")
def page(make_model, make_image, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    model = make_model()
    arrays = xray.xray(model, make_image(), folder, NAMES)
    text = (folder / "index.html").read_text()
    return model, arrays, text, Reader(text)


def test_every_stage_has_its_chapter(page):
    _, arrays, text, reader = page
    assert reader.headings == [f"{i}. {stage.name}" for i, stage in enumerate(STAGES, 1)]
    assert reader.links == [f"#{name}" for name in reader.identities]
    assert set(SENTENCES) == {stage.name for stage in STAGES}
    for name, array in arrays.items():
        if name != "images.0":
            assert f"<td>{name}</td><td>{array.dtype.name}</td><td>{' x '.join(map(str, array.shape))}</td>" in text


def test_the_page_stands_alone(page):
    _, _, text, reader = page
    assert not reader.tags & {"script", "link", "iframe"}
    assert "http" not in text
    assert len(reader.images) == len(PICTURES)
    for source in reader.images:
        kind, _, data = source.partition(",")
        assert kind == "data:image/png;base64"
        Image.open(io.BytesIO(base64.b64decode(data))).load()


def test_names_are_escaped(page):
    _, arrays, text, reader = page
    assert "<b>" not in text
    assert "b" not in reader.tags
    assert "&lt;b&gt;cup&lt;/b&gt;" in text
    rows = reader.table("detections")
    assert [row[1] for row in rows] == [NAMES[label] for label in arrays["labels.0"]]


def test_detections_and_fates_are_told(page):
    model, arrays, _, reader = page
    rows = reader.table("detections")
    assert [row[2] for row in rows] == [f"{score:.4f}" for score in arrays["scores.0"]]
    fates = counts(arrays["anchor_fates.0"])
    told = {fate: int(count.replace(",", "")) for fate, count in reader.table("fates of all anchors")}
    assert told == fates
    assert tuple(told) == FATES
    assert sum(told.values()) == arrays["objectness"].size
    of_regions = reader.table("fates of all regions")
    assert sum(int(count) for _, count in of_regions) == arrays["detection_fates.0"].size
    assert told["overlaps a better one"] > MOST
    dead, fate = reader.table("anchors suppressed"), candidates_of_proposals(model, arrays).fates
    assert len(dead) == MOST
    assert all(fate[int(row[0].split()[0])] == 4 and fate[int(row[3].split()[0])] in (0, 5) for row in dead)
    assert all(float(row[-1]) > 0.7 for row in dead)
    dead = reader.table("regions suppressed")
    assert len(dead) == min(MOST, int(dict(of_regions)["overlaps a better one"])) > 0
    for row in dead:
        (one, name), (other, same) = (row[i].split(" as ") for i in (0, 3))
        assert name == same
        fates = arrays["detection_fates.0"][:, NAMES.index(name) - 1]
        assert (fates[int(one)], fates[int(other)]) == (4, 0)


@pytest.mark.parametrize("options", [{"score_from": 2.0}, {"neck": "c4", "in_channels": 1}], ids=str)
def test_pages_of_other_networks(make_model, make_image, tmp_path, options):
    model = make_model(**options)
    arrays = xray.xray(model, make_image(channels=options.get("in_channels", 3)), tmp_path)
    reader = Reader((tmp_path / "index.html").read_text())
    assert len(reader.headings) == len(STAGES)
    assert len(reader.table("detections")) == len(arrays["boxes.0"])


def test_a_page_needs_its_dump(model, tmp_path):
    with pytest.raises(CheckpointError, match="ENOENT"):
        write_page(tmp_path, model, [])
