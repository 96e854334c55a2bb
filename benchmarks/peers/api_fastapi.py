"""Tasks of FastAPI on uvicorn, in SQLite: a list and a new one, as durable as ours.

Table, journal and `synchronous` are as `twistd web --api` has them.  A thread of FastAPI has a
connection of its own; SQLite lets one write after the other, and each change is synced by itself.
"""

from __future__ import annotations

import argparse
import sqlite3
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field

SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    completed INTEGER NOT NULL,
    user INTEGER,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    version INTEGER NOT NULL
)
"""
FIELDS = "id, title, description, completed, user, created, updated, version"


class TaskDraft(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str, Field(max_length=10_000)] = ""
    completed: bool = False
    user: int | None = None


class Task(TaskDraft):
    id: int
    created: float
    updated: float
    version: int


class TaskPage(BaseModel):
    items: list[Task]
    total: int
    page: int
    per_page: int


class Connections:
    """One for each thread, made when it is needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()

    def get(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if found is None:
            found = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            found.row_factory = sqlite3.Row
            found.execute("PRAGMA journal_mode = WAL")
            found.execute("PRAGMA synchronous = FULL")
            self._own.connection = found
        return found


def application(path: Path) -> FastAPI:
    connections = Connections(path)
    connections.get().execute(SCHEMA)
    app = FastAPI()

    def row_of(row: Any) -> Task:
        return Task(**dict(row))

    @app.get("/api/v1/tasks")
    def list_tasks(
        page: Annotated[int, Query(ge=1)] = 1,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> TaskPage:
        connection = connections.get()
        (total,) = connection.execute("SELECT count(*) FROM tasks").fetchone()
        rows = connection.execute(
            f"SELECT {FIELDS} FROM tasks ORDER BY id LIMIT ? OFFSET ?",
            (limit, (page - 1) * limit),
        )
        return TaskPage(items=list(map(row_of, rows)), total=total, page=page, per_page=limit)

    @app.post("/api/v1/tasks", status_code=201)
    def add_task(draft: TaskDraft, response: Response) -> Task:
        now = time.time()
        values = (draft.title, draft.description, draft.completed, draft.user, now, now)
        row = (
            connections.get()
            .execute(
                "INSERT INTO tasks (title, description, completed, user, created, updated, version)"
                f" VALUES (?, ?, ?, ?, ?, ?, 1) RETURNING {FIELDS}",
                values,
            )
            .fetchone()
        )
        response.headers["Location"] = f"/api/v1/tasks/{row['id']}"
        return row_of(row)

    @app.get("/api/v1/tasks/{id}")
    def get_task(id: int) -> Task:
        found = connections.get().execute(f"SELECT {FIELDS} FROM tasks WHERE id = ?", (id,))
        row = found.fetchone()
        if row is None:
            raise HTTPException(404)
        return row_of(row)

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", type=Path, required=True, help="the file of SQLite")
    options = parser.parse_args()
    app = application(options.database)
    uvicorn.run(app, host="127.0.0.1", port=options.port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
