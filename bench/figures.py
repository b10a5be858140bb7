"""The figures to reach: ratios of what one run measured, each with what is to be reached first and what comes after.

`None` for a figure is "not measured", and the table says so.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Figure:
    key: str
    text: str
    reach: float
    beat: float
    unit: str = "×"
    at_most: bool = False  # else at least

    def meets(self, value, goal):
        return value <= goal if self.at_most else value >= goal

    def verdict(self, value):
        if value is None:
            return "not measured"
        if self.meets(value, self.beat):
            return "beaten"
        return "met" if self.meets(value, self.reach) else "falls short"


ALL = [
    Figure("page25-joined", "random page of 25, ended session of 1M, joinedAt: requests/s ÷ nginx's for the same bytes", 0.50, 0.80),
    Figure("page25-duration", "the same, duration", 0.45, 0.75),
    Figure("page200-joined", "random page of 200, joinedAt: nginx's CPU a request ÷ ours", 0.28, 0.50),
    Figure("page200-duration", "the same, duration", 0.22, 0.40),
    Figure("first10k-sqlite", "first page of 10k ÷ fastify + better-sqlite3, count cached", 15, 25),
    Figure("first10k-postgres", "first page of 10k ÷ fastify + PostgreSQL, count cached", 25, 35),
    Figure("deep100k-sqlite", "page at 90 % of 100k by duration ÷ fastify + better-sqlite3", 250, 400),
    Figure("deep100k-postgres", "page at 90 % of 100k by duration ÷ fastify + PostgreSQL", 1500, 2500),
    Figure("random-first", "p50 of a random page of 1M ÷ p50 of page 1", 1.5, 1.15, at_most=True),
    Figure("live", "pages of a live session of 1M with joins and leaves at 5,000/s ÷ the ended one", 0.7, 0.9),
    Figure("consolidated", "consolidated random page, 100k people in 1 + 20 breakouts ÷ raw", 0.8, 1.0),
    Figure("search", "p50 of a search in 1M ÷ p50 of a plain page", 10, 10, at_most=True),
    Figure("ingest64-sqlite", "durable ingest, 64 connections ÷ fastify + better-sqlite3", 12, 20),
    Figure("ingest256-sqlite", "the same, 256 connections", 18, 30),
    Figure("ingest64-postgres", "durable ingest, 64 connections ÷ fastify + PostgreSQL", 6, 10),
    Figure("ingest256-postgres", "the same, 256 connections", 10, 16),
    Figure("ingest1-sqlite", "durable ingest, 1 connection ÷ fastify + better-sqlite3", 1.0, 1.2),
    Figure("batches", "batches of 1,000, one session: events/s ÷ raw fdatasync of the same bytes, as posted", 0.15, 0.3),
    Figure("batches-journal", "the same, of the bytes that the journal has of them", 0.15, 0.3),
    Figure("webhook", "p99 of one webhook at 1,000 joins/s", 5, 2, "ms", at_most=True),
    Figure("segment", "disk an ended participant: segment", 90, 60, "B", at_most=True),
    Figure("journal", "disk an ended participant: journal, after the session ended", 150, 60, "B", at_most=True),
    Figure("live-memory", "memory a live participant: record, stays, indexes, id map (without strings, event ids, deduplication)", 160, 100, "B", at_most=True),
    Figure("ended-memory", "anonymous memory with 10M ended participants on disk", 200, 50, "MB", at_most=True),
    Figure("restart", "restart with 10M ended and 100k live: until the first correct page of both", 2, 0.5, "s", at_most=True),
    Figure("nodes", "PostgreSQL store, one node, random page of 100k ÷ fastify + PostgreSQL, count cached", 10, 25),
]
