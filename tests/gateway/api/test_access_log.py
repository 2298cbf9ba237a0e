"""The access log's lines are those of `gateway.logs`, one JSON object each, whatever the input."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re

import pytest

from gateway.api.access_log import NAME, AccessLog


@pytest.fixture(autouse=True)
def level() -> None:
    logging.getLogger(NAME).setLevel(logging.INFO)


async def test_lines_of_one_turn_are_written_together_and_in_order() -> None:
    stream = io.StringIO()
    log = AccessLog(stream)
    for number in range(3):
        log.write({"request_id": f"{number}", "odd": 'a"\n\u2028b'})
    assert stream.getvalue() == ""
    await asyncio.sleep(0)
    lines = [json.loads(line) for line in stream.getvalue().split("\n")[:-1]]
    assert [line["request_id"] for line in lines] == ["0", "1", "2"]
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert (line["level"], line["logger"], line["event"]) == ("info", "gateway.access", "request")
        assert line["odd"] == 'a"\n\u2028b'


async def test_a_less_talkative_level_silences_it() -> None:
    stream = io.StringIO()
    logging.getLogger(NAME).setLevel(logging.WARNING)
    AccessLog(stream).write({"request_id": "x"})
    await asyncio.sleep(0)
    assert stream.getvalue() == ""
    logging.getLogger(NAME).setLevel(logging.NOTSET)
