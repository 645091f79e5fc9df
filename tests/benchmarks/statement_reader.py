"""The small model reads a request: greedy decoding under a grammar that holds only what the text itself says."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import llguidance
import llguidance.hf
import llguidance.torch
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from engine.cohort.spec import CohortSpec
from engine.cohort.vocabulary import chapters, diseases
from engine.conversation.rules.lexicon import Lexicon
from engine.schema.table import Kind
from tests.benchmarks.statements import OTHER_INTENTS, plain, said_in, spec_of_line, worded_ranges

_CODE = re.compile(r"(?<![\w.])(?:\d{3}|[VvEe]\d{2,3})(?:\.?\d{1,2})?(?!\w)")
_OUTSIDE_QUOTES = re.compile(r'("(?:[^"\\]|\\.)*")|([a-z]+)')
_LONGEST = 200


def grammar_of(text: str, lexicon: Lexicon, *, follows: bool) -> str:
    """The lines that may be written about ``text``, in llguidance's Lark: its numbers, units and codes, no others."""
    said, features = said_in(text, lexicon), lexicon.schema.features
    ordered = [column.name for column in features if column.kind.is_ordered]
    flags = [column.name for column in features if column.kind is Kind.BOOLEAN]
    known = {
        one.name: one.categories
        for one in features
        if one.kind is Kind.CATEGORICAL and one.categories and not one.code_system
    }
    codes = sorted({found.replace(".", "").upper() for found in _CODE.findall(text)})
    statements = [
        '"us"', "columns", "flag", "negatable", "category", '"equal % " target', 'ordered " recorded"', "reference",
    ]  # fmt: skip
    rules = {
        "name": _any(column.name for column in features), "ordered": _any(ordered), "flagged": _any(flags),
        "columns": '"columns all" | "columns " ("+ " | "- ")? name (", " name)*', "flag": '("+" | "-") flagged',
        "category": " | ".join(f'{json.dumps(name)} " " "!"? "= " ({_any(values)}) (" | " ({_any(values)}))*'
                               for name, values in known.items()),
        "target": " | ".join(['flagged (" yes" | " no")', *(f'{json.dumps(f"{name} ")} ({_any(values)})'
                                                           for name, values in known.items())]),
        "reference": 'ordered (" high" | " low" | " normal")', "disease": _any(one.name for one in diseases()),
        "chapter": _any(one.number for one in chapters()), "worded": _any(worded_ranges()),
        "negatable": '"not "? ("disease " disease | "chapter " chapter | worded)',
    }  # fmt: skip
    if codes:
        rules["icd"], rules["code"] = _any(codes), 'icd (".." icd)?'
        rules["negatable"] = '"not "? ("disease " disease | "chapter " chapter | worded | "code " code (" | " code)*)'
    if follows:
        statements += ['"instead"', '"restart"', '"drop " name (", " name)*']
    if said.factors:
        statements.append(f'"n * " ({_any(map(plain, said.factors))})')
    numbers = [plain(number) for number in said.numbers if number >= 0]
    if numbers:
        statements += ['"n = " number', "range", 'number " % " target']
        unit = f'(" " ({_any(said.units)}))?' if said.units else ""
        rules["number"] = _any(numbers)
        rules["range"] = f'ordered " " side (" or " side)? {unit} | "age_years = " number'
        rules["side"] = 'sign " " number (" " sign " " number)?'
        rules["sign"] = _any([">=", ">", "<=", "<"])
    if said.decades:
        decades = _any(f"{plain(decade)}s" for decade in said.decades)
        statements.append(f'"age_years " ("early " | "mid " | "late ")? ({decades})')
    rules["statement"] = " | ".join(statements)
    rules["line"] = f'{_any(OTHER_INTENTS)} | statement ("; " statement)*'
    grammar = "\n".join(["start: line", *(f"{name}: {rule}" for name, rule in rules.items())])
    # As rules, their words would be cut by the longest match ("age_years " before "age_years"); terminals are one
    # regular expression.
    return _OUTSIDE_QUOTES.sub(lambda found: found.group(1) or found.group(2).upper(), grammar).replace(
        "START", "start"
    )


class Reader:
    """A trained model of ``folder``."""

    def __init__(self, folder: Path, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self._vocabulary = llguidance.hf.from_tokenizer(self._tokenizer)

    def read(self, text: str, previous: CohortSpec | None = None) -> CohortSpec | None:
        """The spec that the model makes of ``text``; None where it asks for no cohort or cannot be met."""
        try:
            return spec_of_line(self.line(text, follows=previous is not None), previous, self._lexicon)
        except ValueError:
            return None

    @torch.inference_mode()
    def line(self, text: str, *, follows: bool) -> str:
        """The line that the model writes about ``text``."""
        grammar = llguidance.LLMatcher.grammar_from_lark(grammar_of(text, self._lexicon, follows=follows))
        matcher = llguidance.LLMatcher(self._vocabulary, grammar)
        mask = llguidance.torch.allocate_token_bitmask(1, len(self._tokenizer))
        ids, past, written = torch.tensor([self._prompt(text, follows)]), None, []
        while len(written) < _LONGEST:
            out = self._model(input_ids=ids, past_key_values=past, use_cache=True)
            past, scores = out.past_key_values, out.logits[:, -1]
            llguidance.torch.fill_next_token_bitmask(matcher, mask)
            llguidance.torch.apply_token_bitmask_inplace(scores, mask)
            token = int(scores.argmax())
            if token == self._tokenizer.eos_token_id:
                break
            written.append(token)
            matcher.consume_token(token)
            ids = torch.tensor([[token]])
        return self._tokenizer.decode(written)

    def _prompt(self, text: str, follows: bool) -> list[int]:
        message = {"role": "user", "content": asked(text, follows=follows)}
        return self._tokenizer.apply_chat_template([message], add_generation_prompt=True, return_dict=False)


def asked(text: str, *, follows: bool) -> str:
    """How a request is put to the model: a follow-up begins with a plus sign."""
    return f"+ {text}" if follows else text


def _any(words: Iterable[str]) -> str:
    return " | ".join(json.dumps(word) for word in dict.fromkeys(words))
