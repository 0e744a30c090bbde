"""BLAST on NCBI's server: one submission for all queries, by NCBI's rules of use.

At most one contact in 10 seconds and one question a minute about a search; an address and a tool's name with
every search; no more than 50 searches by day. Biopython's `qblast` keeps that pace, but waits without end and
tells the number of a search only when it is over, so that nothing could be picked up; it reads the answer
here. Sources: https://blast.ncbi.nlm.nih.gov/doc/blast-help/developerinfo.html and .../urlapi.html
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pipeline.domains.genome.blast.hits import Hit
from pipeline.domains.genome.blast.query_results import Query
from pipeline.domains.genome.blast.remote_jobs import Fetch, JobNotFound, Request, RequestRate, SearchServer
from pipeline.domains.genome.blast.remote_search import RemoteBlast, format_queries
from pipeline.domains.genome.blast.server_xml import read_ncbi
from pipeline.errors import ToolError

RULES = RequestRate(request_interval_s=10.0, poll_interval_s=60.0)
MAX_ESTIMATE_S = 600.0
"""NCBI says how long a search may take; what it says beyond this is not believed."""


@dataclass(frozen=True)
class NcbiBlast(RemoteBlast):
    """Search the samples at NCBI."""

    url: str = "https://blast.ncbi.nlm.nih.gov/Blast.cgi"
    database: str = "core_nt"
    """The database of NCBI to search."""
    entrez_query: str | None = None
    """Restricts the database, such as "Drosophila melanogaster[organism]"."""

    rate: ClassVar[RequestRate] = RULES

    @property
    def service(self) -> SearchServer:
        """NCBI's server, or a mirror."""
        asked = {
            "PROGRAM": self.blast.name, "DATABASE": self.database, "EXPECT": f"{self.evalue:g}",
            "HITLIST_SIZE": str(self.max_hits),
        }  # fmt: skip
        if self.task == "megablast":
            asked["MEGABLAST"] = "on"
        if self.entrez_query:
            asked["ENTREZ_QUERY"] = self.entrez_query
        return NcbiServer(self.url, asked, {"email": str(self.email), "tool": self.tool}, self.rate)

    def submissions(self, queries: Sequence[Query]) -> list[str]:
        """All in one."""
        return [format_queries(queries)]

    def read(self, content: bytes, number: int) -> list[Hit]:
        """By Biopython."""
        return read_ncbi(content)


@dataclass(frozen=True)
class NcbiServer:
    """The Common URL API of one server."""

    url: str
    search: Mapping[str, str]
    who: Mapping[str, str]
    rate: RequestRate = RULES

    name = "NCBI"
    at_once = 1

    def asked(self, query: str) -> Mapping[str, Any]:
        """All but who asks."""
        return {"url": self.url, **self.search}

    def submit(self, fetch: Fetch, query: str) -> tuple[str, float]:
        """The request's number, RID, and NCBI's guess of its time, RTOE."""
        form = {"CMD": "Put", **self.search, **self.who, "QUERY": query}
        page = fetch(Request(self.url, form=form)).decode("utf-8", "replace")
        number = re.search(r"^\s*RID = (\S+)", page, re.MULTILINE)
        if not number:
            raise ToolError(f"NCBI took no search: {_message(page)}; look at blast.database and blast.task")
        estimate = re.search(r"^\s*RTOE = (\d+)", page, re.MULTILINE)
        after_s = min(float(estimate[1]), MAX_ESTIMATE_S) if estimate else 0.0
        return number[1], max(after_s, self.rate.request_interval_s)

    def poll(self, fetch: Fetch, number: str) -> bytes | None:
        """Ask for the answer at once: a question whether it is there would be one contact more."""
        parameters = {"CMD": "Get", "RID": number, "FORMAT_TYPE": "XML", **self.who}
        answer = fetch(Request(self.url, parameters))
        if answer.lstrip().startswith(b"<?xml"):
            read_ncbi(answer)
            return answer
        page = answer.decode("utf-8", "replace")
        status = re.search(r"Status=(\w+)", page)
        if status and status[1] == "WAITING":
            return None
        if status and status[1] == "UNKNOWN":
            raise JobNotFound
        if status and status[1] == "FAILED":
            raise ToolError(f"NCBI's search {number} failed: {_message(page)}; run again later")
        raise ValueError(f"neither a result nor a status, but {_message(page)}")


def _message(page: str) -> str:
    """What a page of NCBI's says is wrong, as far as can be told."""
    said = re.search(r"""(?:Message ID#\d+ Error: |class="error[^"]*">)([^\n<]+)""", page)
    text = said[1] if said else re.sub(r"<[^>]*>", " ", page)
    return " ".join(text.split())[:200] or "an empty page"
