"""A Llama of 2 layers with random weights and a tokenizer trained on the spot, saved as the real one is."""

import json
from pathlib import Path

from engine.conversation.language_model.draft import draft_of
from engine.conversation.language_model.prompt import messages
from engine.core.errors import UserError
from tests.conversation.patient_table_shape import diabetes_like, load, mimic_like, spec_of


def texts() -> list[str]:
    """Every request of the test tables that is meant for the MIMIC-shaped source."""
    return [text for rows in load("requests.yaml").values() for text in rows]


def tokenizer(*, words: int = 500, template: bool = False):
    """A BPE as Llama's: blanks as "▁", digits one by one, unknown bytes as byte tokens."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    corpus = [*texts()[:60], *(draft_of(spec_of("500; sex = F; age_years > 65; copd = false")) for _ in range(5))]
    corpus += [message["content"] for message in messages("men", schema=mimic_like())] * 3
    words_ = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    words_.normalizer = normalizers.Replace(" ", "▁")
    words_.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Split("▁", "merged_with_next")]
    )
    words_.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    trainer = trainers.BpeTrainer(
        vocab_size=words, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False
    )  # fmt: skip
    words_.train_from_iterator(corpus, trainer)
    # Bytes are ordinary tokens of Llama's vocabulary; trained as special ones they could not be written.
    state = json.loads(words_.to_str())
    vocabulary = state["model"]["vocab"]
    vocabulary |= {f"<0x{number:02X}>": len(vocabulary) + number for number in range(256)}
    words_ = Tokenizer.from_str(json.dumps(state))
    fast = PreTrainedTokenizerFast(
        tokenizer_object=words_, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )  # fmt: skip
    if template:
        fast.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    return fast


def save(folder: Path, *, seed: int = 0, hidden: int = 32, context: int = 16_384, shard: str = "50KB") -> Path:
    """The model and its tokenizer in ``folder``, in shards of safetensors; returns the folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    words = tokenizer()
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=hidden, intermediate_size=2 * hidden, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=context, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    torch.manual_seed(seed)
    LlamaForCausalLM(config).save_pretrained(folder, max_shard_size=shard)
    words.save_pretrained(folder)
    return folder


def save_asking(folder: Path) -> Path:
    """Like :func:`save`, with the first random weights that write a cohort with criteria rather than "question"."""
    from engine.conversation.language_model.backend import LanguageModel
    from engine.conversation.language_model.settings import LlamaSettings

    for seed in range(40):
        tried = save(folder / str(seed), seed=seed)
        model = LanguageModel(LlamaSettings(model=str(tried), explanation_tokens=0))
        try:
            turns = [model.parse(text, schema=mimic_like()) for text in ("85 women", "40 men over 85")]
        except UserError:
            continue
        if all(turn.spec is not None and turn.spec.criteria for turn in turns):
            return tried
    raise AssertionError("no random weights write a cohort")


__all__ = ["diabetes_like", "mimic_like", "save", "save_asking", "spec_of", "texts", "tokenizer"]
