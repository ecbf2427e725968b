"""What a database's schema is, as the database itself tells it: to be compared with another."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import Any

from tests import cluster

OWN = ("alembic_version", "compatibility")
"""The tables in which a database keeps what its schema is."""

_COLUMNS = """
SELECT 'column', relname, attname, format_type(atttypid, atttypmod), attnotnull, attidentity::text,
       pg_get_expr(adbin, adrelid), collname, col_description(attrelid, attnum)
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
LEFT JOIN pg_collation ON pg_collation.oid = attcollation
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
"""
_CONSTRAINTS = """
SELECT 'constraint', relname, conname, pg_get_constraintdef(pg_constraint.oid), convalidated
FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
WHERE relnamespace = 'public'::regnamespace
"""
_INDEXES = """
SELECT 'index', tabled.relname, indexed.relname, pg_get_indexdef(indexrelid), indisvalid
FROM pg_index JOIN pg_class AS tabled ON tabled.oid = indrelid
JOIN pg_class AS indexed ON indexed.oid = indexrelid
WHERE tabled.relnamespace = 'public'::regnamespace
"""
_TABLES = """
SELECT 'table', relname, relkind::text, obj_description(oid, 'pg_class')
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('i', 'S')
"""
_SEQUENCES = """
SELECT 'sequence', coalesce(tabled.relname, ''), sequenced.relname
FROM pg_class AS sequenced
LEFT JOIN pg_depend ON objid = sequenced.oid AND deptype IN ('a', 'i')
LEFT JOIN pg_class AS tabled ON tabled.oid = refobjid
WHERE sequenced.relnamespace = 'public'::regnamespace AND sequenced.relkind = 'S'
"""

Fact = tuple[Any, ...]


def catalog(url: str) -> set[Fact]:
    """Every fact of the schema but the order of columns; each begins with its kind and table."""
    facts = _of_postgresql(url) if url.startswith("postgresql") else _of_sqlite(url)
    return {fact for fact in facts if fact[1] not in OWN}


def _of_postgresql(url: str) -> list[Fact]:
    queries = (_COLUMNS, _CONSTRAINTS, _INDEXES, _TABLES, _SEQUENCES)
    return [row for query in queries for row in cluster.execute(url, query)]


def _of_sqlite(url: str) -> list[Fact]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as conn:
        facts: list[Fact] = []
        query = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"
        for kind, name, sql in conn.execute(query).fetchall():
            facts.append((kind, name))
            if kind == "table":
                facts += _of_table(conn, name, sql)
        return facts


def _of_table(conn: sqlite3.Connection, table: str, sql: str) -> list[Fact]:
    """Of what has no pragma the words are compared: checks and collations."""
    strict = conn.execute("SELECT strict FROM pragma_table_list WHERE name = ?", [table])
    facts: list[Fact] = [("strict", table, strict.fetchone()[0])]
    facts += [("check", table, words) for words in _checks(sql)]
    facts += [("collation", table, words) for words in re.findall(r"\w+ \w+ COLLATE \w+", sql)]
    facts += [("column", table, *row[1:]) for row in conn.execute(f"PRAGMA table_xinfo({table})")]
    facts += [
        ("foreign key", table, *row[2:])
        for row in conn.execute(f"PRAGMA foreign_key_list({table})")
    ]
    for _, name, *kind in conn.execute(f"PRAGMA index_list({table})").fetchall():
        columns = [row[2:] for row in conn.execute(f"PRAGMA index_xinfo({name})")]
        (made,) = conn.execute("SELECT sql FROM sqlite_schema WHERE name = ?", [name]).fetchone()
        where = re.sub(r"\s+", " ", made).partition(" WHERE ")[2] if made else None
        facts.append(("index", table, name if made else None, *kind, tuple(columns), where))
    return facts


def _checks(sql: str) -> list[str]:
    """The conditions that a table's rows are held to, each with its name if it has one."""
    sql, found = re.sub(r"\s+", " ", sql), []
    for check in re.finditer(r"(CONSTRAINT \w+ )?CHECK \(", sql):
        end, depth = check.end(), 1
        while depth:
            depth += {"(": 1, ")": -1}.get(sql[end], 0)
            end += 1
        found.append(sql[check.start() : end])
    return found
