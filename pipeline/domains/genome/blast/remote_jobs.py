"""Searches on a server: submit, ask now and then, fetch; with time limits, and nothing asked for twice.

A search is known by a checksum of what is asked for. The number that the server gave it is written to a file
as soon as it is known, so that a run that is killed, or gives up waiting, finds it again; the answer is kept
too. All processes of a user share one clock per server, so that runs side by side keep its rules together.
"""

import logging
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.domains.genome.blast.database import cache_folder
from pipeline.domains.genome.blast.job_cache import PendingJob, remove_old
from pipeline.errors import ToolError

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 1 << 28
ATTEMPTS = 5
"""How often in a row one contact may fail before the search is given up."""
MAX_DAMAGED = 3
"""How often an answer may be cut off before it is given up."""
TRANSIENT_STATUSES = (408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses after which to try again. Source: RFC 9110, RFC 6585."""


@dataclass(frozen=True)
class RequestRate:
    """Seconds: at least `request_interval_s` between two requests, at least `poll_interval_s` between two
    polls of one job, and at most `response_timeout_s` for one response."""

    request_interval_s: float
    poll_interval_s: float
    response_timeout_s: float = 120.0


@dataclass(frozen=True)
class Request:
    """One request: parameters go into the address, a form makes it a POST."""

    url: str
    parameters: Mapping[str, str] | None = None
    form: Mapping[str, str] | None = None


Fetch = Callable[[Request], bytes]


class JobNotFound(Exception):
    """The server does not know the search any more."""


class SearchServer(Protocol):
    """What is particular to a server."""

    name: str
    at_once: int
    """Searches that may be under way together."""

    @property
    def rate(self) -> RequestRate:
        """How often the server may be asked."""
        ...

    def asked(self, query: str) -> Mapping[str, Any]:
        """All that the answer depends on; the address of the server, too."""
        ...

    def submit(self, fetch: Fetch, query: str) -> tuple[str, float]:
        """Hand in a search: its number, and the seconds after which it pays to ask."""
        ...

    def poll(self, fetch: Fetch, number: str) -> bytes | None:
        """Return the whole answer, or None while the job runs. Raises JobNotFound, ToolError where the search
        failed, and ValueError where the answer is incomplete."""
        ...


class JobRunner:
    """Runs searches on one server. Answers lie in `folder`, the user's cache folder where it is None."""

    def __init__(self, service: SearchServer, timeout_s: float, folder: Path | None = None) -> None:
        self.service, self.timeout_s = service, timeout_s
        self.deadline = time.monotonic() + timeout_s
        self.folder = folder or cache_folder().with_name("blast_remote")

    def run(self, queries: Sequence[str]) -> list[Path]:
        """The files with the answers, in the order of the queries.

        Raises ToolError where the server cannot be reached, refuses, sends nonsense or is not done in time.
        """
        from filelock import FileLock, Timeout

        self.folder.mkdir(parents=True, exist_ok=True)
        searches = [PendingJob.of(self.service.asked(query), query, self.folder) for query in queries]
        remove_old(self.folder)
        # Two runs that ask the same wait for one answer.
        try:
            with FileLock(self.folder / f"{searches[0].key}.lock").acquire(timeout=self._left()):
                for start in range(0, len(searches), self.service.at_once):
                    self._finish(searches[start : start + self.service.at_once])
        except Timeout:
            raise self._too_late("another run is waiting for it") from None
        return [search.answer for search in searches]

    def _finish(self, searches: Sequence["PendingJob"]) -> None:
        """Submit what is not under way and wait for all."""
        due = {search: self._begin(search) for search in searches if not search.answer.exists()}
        while due:
            search = min(due, key=lambda each: due[each])
            self._sleep(due[search] - time.monotonic(), f"{self.service.name} {search.number}")
            try:
                answer = self.service.poll(self._fetch, search.number)
            except JobNotFound:
                if search.again:
                    search.forget()
                    raise ToolError(f"{self.service.name} lost the search {search.number} twice") from None
                log.warning("%s no longer knows %s; it is sent again", self.service.name, search.number)
                search.forget()
                search.again = True
                due[search] = self._begin(search)
                continue
            except ValueError as error:
                # What is cut off here may arrive whole the next time.
                search.damaged += 1
                if search.damaged == MAX_DAMAGED:
                    raise ServerUnavailable(
                        f"{self.service.name} sends no whole answer for {search.number} ({error}); "
                        "run again later"
                    ) from error
                answer = None
            except ServerUnavailable:
                raise
            except ToolError:
                search.forget()
                raise
            if answer is None:
                due[search] = time.monotonic() + self.service.rate.poll_interval_s
            else:
                search.keep(answer)
                del due[search]

    def _begin(self, search: "PendingJob") -> float:
        """Submit a search, unless it was: when to ask for its answer."""
        if search.read():
            log.info("%s is asked again for %s", self.service.name, search.number)
            return time.monotonic()
        number, after_s = self.service.submit(self._fetch, search.query)
        search.write(number)
        log.info("%s gave the search the number %s", self.service.name, search.number)
        return time.monotonic() + after_s

    def _fetch(self, contact: Request) -> bytes:
        """One answer, however many tries it takes within the time limit."""
        for attempt in range(ATTEMPTS):
            try:
                self._take_turn()
                return self._send(contact)
            except TransientError as error:
                reason, wait_s = (
                    str(error),
                    max(error.wait_s, self.service.rate.request_interval_s * 2**attempt),
                )
            if attempt < ATTEMPTS - 1:
                log.info("%s: %s; trying again in %g s", self.service.name, reason, wait_s)
                self._sleep(wait_s, reason)
        raise ServerUnavailable(
            f"{self.service.name}: {reason}, {ATTEMPTS} times; try again later, or set blast=local"
        )

    def _take_turn(self) -> None:
        """Wait until the server may be contacted, by this or any other process of the user."""
        from filelock import FileLock

        clock = self.folder / f"{self.service.name}.clock"
        with FileLock(f"{clock}.lock"):
            last = clock.stat().st_mtime if clock.exists() else 0.0
            # A clock that was set back must not stop us.
            wait_s = min(
                last + self.service.rate.request_interval_s - time.time(),
                self.service.rate.request_interval_s,
            )
            self._sleep(wait_s, "its turn")
            clock.touch()
            # What the file system takes for now may be some milliseconds ago.
            now_s = time.time()
            os.utime(clock, times=(now_s, now_s))

    def _send(self, contact: Request) -> bytes:
        import requests

        method, limit = (
            ("POST" if contact.form else "GET"),
            time.monotonic() + self.service.rate.response_timeout_s,
        )
        pieces, size = [], 0
        try:
            with requests.request(
                method, contact.url, params=contact.parameters, data=contact.form, stream=True,
                timeout=max(min(self.service.rate.response_timeout_s, self._left()), 0.001),
            ) as answer:  # fmt: skip
                for piece in answer.iter_content(1 << 16):
                    pieces.append(piece)
                    size += len(piece)
                    if size > MAX_ANSWER_BYTES:
                        raise ServerUnavailable(
                            f"{self.service.name} sends without end; set fewer blast.max_hits"
                        )
                    # A server that sends a byte now and then never runs into the limit of one read.
                    if time.monotonic() > min(limit, self.deadline):
                        raise TransientError("the answer did not end")
                if answer.status_code in TRANSIENT_STATUSES:
                    raise TransientError(
                        f"the server says {answer.status_code} {answer.reason}",
                        _seconds(answer.headers.get("Retry-After", "")),
                    )
                if not answer.ok:
                    raise RequestRefused(self.service.name, answer.status_code, b"".join(pieces))
        except (requests.RequestException, OSError) as error:
            what = "no answer in time" if isinstance(error, requests.Timeout) else "the connection failed"
            raise TransientError(f"{what} ({type(error).__name__})") from error
        return b"".join(pieces)

    def _sleep(self, seconds: float, what: str) -> None:
        if seconds > self._left() or self._left() <= 0:
            raise self._too_late(what)
        time.sleep(max(seconds, 0))

    def _left(self) -> float:
        return self.deadline - time.monotonic()

    def _too_late(self, what: str) -> ToolError:
        return ServerUnavailable(
            f"{self.service.name} was not done after blast.timeout_s={self.timeout_s:g} ({what}); what is "
            "under way there is remembered: the same line, or run=FOLDER, asks for it again"
        )


class ServerUnavailable(ToolError):
    """The server does not answer now; the search is remembered."""


class RequestRefused(ToolError):
    """The server says no, and why; asking again would not help."""

    def __init__(self, service: str, status: int, body: bytes) -> None:
        text = " ".join(_without_tags(body.decode("utf-8", "replace")).split())[:300]
        super().__init__(f"{service} refuses ({status}): {text or 'it does not say why'}")
        self.status = status


class TransientError(Exception):
    """A failure that may pass, and the seconds for which the server asked."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def _seconds(text: str) -> float:
    """Of a header that may also be a date, or nonsense."""
    return float(min(int(text), 3600)) if text.isdecimal() else 0.0


def _without_tags(text: str) -> str:
    return re.sub(r"<[^>]*>", " ", text)
