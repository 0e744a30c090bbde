"""BLAST on NCBI's server: one submission for all queries, by NCBI's rules of use.

At most one request in 10 seconds and one poll a minute per search; an e-mail address and a tool's name with
every search; no more than 50 searches by day. Biopython's `qblast` obeys these limits. But it waits without a
time limit, and returns the number of a search only with its answer, so that a run could not resume it.
Therefore Biopython only parses the answer here. Sources:
https://blast.ncbi.nlm.nih.gov/doc/blast-help/developerinfo.html and .../urlapi.html
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pipeline.domains.genome.blast.hits import Hit
from pipeline.domains.genome.blast.query_results import Query
from pipeline.domains.genome.blast.remote_jobs import Fetch, JobNotFound, Request, RequestRate, SearchServer
from pipeline.domains.genome.blast.remote_search import RemoteBlast, format_queries
from pipeline.domains.genome.blast.server_xml import read_ncbi
from pipeline.errors import ToolError

RULES = RequestRate(request_interval_s=10.0, poll_interval_s=60.0)
MAX_ESTIMATE_S = 600.0
"""Upper bound on NCBI's estimate of the duration of a search."""


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
        parameters = {
            "PROGRAM": self.blast.name, "DATABASE": self.database, "EXPECT": f"{self.evalue:g}",
            "HITLIST_SIZE": str(self.max_hits),
        }  # fmt: skip
        if self.task == "megablast":
            parameters["MEGABLAST"] = "on"
        if self.entrez_query:
            parameters["ENTREZ_QUERY"] = self.entrez_query
        return NcbiServer(self.url, parameters, {"email": str(self.email), "tool": self.tool}, self.rate)

    def submissions(self, queries: Sequence[Query]) -> list[str]:
        """Submit all queries as one search."""
        return [format_queries(queries)]

    def read(self, content: bytes, number: int) -> list[Hit]:
        """Parse the hits of all queries."""
        return read_ncbi(content)


class NcbiServer(SearchServer):
    """The Common URL API of one server."""

    name = "NCBI"
    at_once = 1

    def submit(self, fetch: Fetch, query: str) -> tuple[str, float]:
        """Submit a search; return its number (RID) and NCBI's estimate of its duration (RTOE)."""
        form = {"CMD": "Put", **self.parameters, **self.contact, "QUERY": query}
        page = fetch(Request(self.url, form=form)).decode("utf-8", "replace")
        number = re.search(r"^\s*RID = (\S+)", page, re.MULTILINE)
        if not number:
            raise ToolError(
                f"NCBI did not accept the search: {_message(page)}; check blast.database and blast.task"
            )
        estimate = re.search(r"^\s*RTOE = (\d+)", page, re.MULTILINE)
        after_s = min(float(estimate[1]), MAX_ESTIMATE_S) if estimate else 0.0
        return number[1], max(after_s, self.rate.request_interval_s)

    def poll(self, fetch: Fetch, number: str) -> bytes | None:
        """Ask for the answer directly; a separate question for the status would cost one more request."""
        parameters = {"CMD": "Get", "RID": number, "FORMAT_TYPE": "XML", **self.contact}
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
    """Extract the error message from a page of NCBI's."""
    message = re.search(r"""(?:Message ID#\d+ Error: |class="error[^"]*">)([^\n<]+)""", page)
    text = message[1] if message else re.sub(r"<[^>]*>", " ", page)
    return " ".join(text.split())[:200] or "an empty page"
