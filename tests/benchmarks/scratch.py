"""A small model of Llama's architecture from nothing: its vocabulary and weights know the pairs and nothing else."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

WORDS = 4096
_SPECIAL = ("<pad>", "<s>", "</s>", "<request>", "<draft>")
_TEMPLATE = (
    "<s>{% for message in messages %}"
    "{% if message['role'] == 'user' %}<request>{{ message['content'] }}<draft>"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] }}</s>{% endif %}"
    "{% endfor %}"
)
"""The system prompt lists the columns for models that have not seen them; this one learns them, and skips it."""


def small_tokenizer(texts: Iterable[str], *, words: int = WORDS) -> "PreTrainedTokenizerBase":
    """A byte-level BPE of at most ``words`` tokens learned from ``texts``; every digit is a token of its own."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    # Punctuation stays together, so that the joints of JSON are single tokens.
    pieces = Regex(r" ?[A-Za-z_]+|\d| ?[^A-Za-z_\d\s]+|\s+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(pieces, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=words, special_tokens=list(_SPECIAL), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", chat_template=_TEMPLATE
    )


def small_model(
    tokenizer: "PreTrainedTokenizerBase", *, seed: int, hidden: int = 256, layers: int = 6, longest: int = 1024
) -> "LlamaForCausalLM":
    """A LlamaForCausalLM with fresh weights: 4.7 million beside the embedding in the default size."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    words = tokenizer.get_vocab()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=hidden, intermediate_size=hidden * 8 // 3, num_hidden_layers=layers,
        num_attention_heads=max(1, hidden // 64), max_position_embeddings=longest, tie_word_embeddings=True,
        pad_token_id=words["<pad>"], bos_token_id=words["<s>"], eos_token_id=words["</s>"],
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)
