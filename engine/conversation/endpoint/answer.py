"""The JSON schema that an endpoint's answer must satisfy, without a cell of any table, and how an answer is read.

The schema is the one that constrains the model on this machine (:mod:`engine.conversation.language_model.constraint`):
columns are enumerated, numbers and codes are those that the request states. There it stays in the process; here it is
sent, so categories that were read from a table are left out of it unless the person typed them.
"""

import json
import re
from typing import Any

import jsonschema

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import Turn
from engine.conversation.language_model.constraint import draft_schema
from engine.conversation.language_model.draft import read_draft
from engine.conversation.language_model.prompt import has_public_categories
from engine.core.errors import UserError
from engine.schema.table import TableSchema

_VALUES = {"any_of", "none_of", "category"}
Json = dict[str, Any]


def answer_schema(text: str, *, schema: TableSchema, previous: CohortSpec | None) -> Json:
    """The JSON schema of an answer to ``text``."""
    answers, typed = draft_schema(schema, text, previous), text.casefold()
    for alternative in answers["anyOf"]:
        parts: Json = alternative["properties"]
        for name in ("criteria", "shares"):
            if name in parts:
                demands = parts[name]["items"]["anyOf"]
                kept = [one for one in demands if _hide_cells(one["properties"], schema, typed)]
                parts[name] = {**parts[name], "items": {"anyOf": kept}}
            if name in parts and not parts[name]["items"]["anyOf"]:
                del parts[name]
                alternative["required"] = [one for one in alternative["required"] if one != name]
    return answers


def read_answer(content: str, *, answers: Json, schema: TableSchema) -> Turn:
    """The turn that an answer stands for.

    A server may ignore the schema that it was sent, so the answer is held against it here: prose, further fields,
    columns that are not there, numbers and codes that the request does not state are all refused.

    Args:
        content: the answer: JSON and nothing else.
        answers: what :func:`answer_schema` gave.
        schema: the source's columns.

    Raises:
        UserError: it is no such answer.
    """
    try:
        value = json.loads(content)
        jsonschema.validate(value, answers, cls=jsonschema.Draft202012Validator)
    except (ValueError, RecursionError) as error:
        raise UserError("the endpoint's answer is not JSON and nothing else") from error
    except jsonschema.ValidationError as error:
        raise UserError(
            "the endpoint's answer holds something that the request does not state, or is no request"
        ) from error
    draft = read_draft(content, schema)
    return Turn(intent=draft.intent, spec=draft.spec)


def _hide_cells(demand: Json, schema: TableSchema, typed: str) -> bool:
    """Take categories that must not be sent out of a demand's properties; whether it still demands something."""
    columns = [schema[name] for name in demand["column"]["enum"]]
    if all(has_public_categories(column) for column in columns):
        return True
    cells = {category for column in columns for category in column.categories or ()}
    for name in _VALUES & demand.keys():
        listed = demand[name].get("items", demand[name])
        # What is no category is a placeholder ("#2"); a cell may look like one.
        values = [
            one for one in listed["enum"] if not isinstance(one, str) or one not in cells or _is_typed(one, typed)
        ]
        if not values:
            return False
        demand[name] = {**demand[name], "items": {"enum": values}} if "items" in demand[name] else {"enum": values}
    return True


def _is_typed(category: str, typed: str) -> bool:
    """Whether the request holds ``category`` as whole words."""
    return re.search(rf"(?<!\w){re.escape(category.casefold())}(?!\w)", typed) is not None
