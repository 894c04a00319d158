"""Look at the text of a query before it is parsed: its size, its depth, and what it calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlglot import tokenize
from sqlglot.errors import SqlglotError

from ...domain.spelling import did_you_mean
from .limits import beyond, refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .limits import SelectLimits
    from .nodes import Word

ACCESSORS: Final = frozenset({"num", "text", "bool"})
SCALARS: Final = frozenset(
    {"lower", "upper", "length", "abs", "round", "coalesce", "by_day", "by_hour"}
)
AGGREGATES: Final = frozenset({"count", "sum", "avg", "min", "max"})
FUNCTIONS: Final = ACCESSORS | SCALARS | AGGREGATES

_BEFORE_PARENTHESIS: Final = frozenset(
    {"select", "distinct", "from", "where", "and", "or", "not", "in", "between", "like", "is", "by"}
    | {"group by", "order by", "having", "limit", "offset", "as", "escape"}
)
_OPENING: Final = frozenset({"L_PAREN", "L_BRACKET", "L_BRACE", "CASE"})
_CLOSING: Final = frozenset({"R_PAREN", "R_BRACKET", "R_BRACE", "END"})
_AFTER_COMMA: Final = _CLOSING | {"FROM", "WHERE", "HAVING", "LIMIT", "SEMICOLON"}
_PREFIXES: Final = frozenset({"NOT", "DASH", "PLUS", "TILDE", "TILDA", "EXCLAMATION"})


def check_text(text: str, limits: SelectLimits) -> None:
    """Raise `Invalid` for a text that is too big or too strange to be parsed.

    The parser is recursive: what nests too deep never reaches it.
    """
    if len(text) > limits.max_query_characters:
        message = (
            f"the query has {len(text)} characters, and {limits.max_query_characters} are allowed"
        )
        raise beyond("max_query_characters", message)
    try:
        tokens = tokenize(text)
    except SqlglotError as error:
        message = "the query cannot be read: a quote or a comment is not closed"
        raise refused(message) from error
    _check_tokens(tokens, limits)


def _check_tokens(tokens: Sequence[Word], limits: SelectLimits) -> None:
    if len(tokens) > limits.max_query_tokens:
        message = f"the query has {len(tokens)} words, and {limits.max_query_tokens} are allowed"
        raise beyond("max_query_tokens", message)
    if not tokens or tokens[0].text.lower() != "select":
        message = "a query begins with SELECT; everything else is refused, also WITH and comments"
        raise refused(message)
    depth = prefixes = 0
    for place, token in enumerate(tokens):
        name = token.token_type.name
        if token.comments:
            message = "comments are not part of the language; leave them out"
            raise refused(message)
        if name == "SEMICOLON" and place != len(tokens) - 1:
            message = "a query is one statement; run each on its own"
            raise refused(message)
        if name in _AFTER_COMMA and place and tokens[place - 1].token_type.name == "COMMA":
            message = "something is missing after a comma"
            raise refused(message)
        depth += (name in _OPENING) - (name in _CLOSING)
        prefixes = prefixes + 1 if name in _PREFIXES else 0
        if max(depth, prefixes) > limits.max_query_nesting:
            message = f"the query nests deeper than {limits.max_query_nesting} levels"
            raise beyond("max_query_nesting", message)
        if name == "L_PAREN" and place:
            _check_call(tokens[place - 1])


def _check_call(word: Word) -> None:
    """Refuse a word before a parenthesis that is neither of the language nor a function of it.

    The parser knows many names for one function, and many functions that are not for others.
    """
    name = word.text.lower()
    if not name.replace("_", "").replace(" ", "").isalnum() or word.token_type.name == "STRING":
        return
    if name not in FUNCTIONS and name not in _BEFORE_PARENTHESIS:
        message = f"there is no function {word.text!r}: {did_you_mean(name, FUNCTIONS)}"
        raise refused(message, name=word.text)
