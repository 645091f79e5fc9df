"""A Llama of 2 layers with random weights and a tokenizer trained on the spot, saved as the real one is."""

from pathlib import Path

from engine.conversation.language_model.draft import draft_of
from engine.conversation.language_model.prompt import messages
from tests.conversation.patient_table_shape import diabetes_like, load, mimic_like, spec_of


def texts() -> list[str]:
    """Every request of the test tables that is meant for the MIMIC-shaped source."""
    return [text for rows in load("requests.yaml").values() for text in rows]


def tokenizer(*, words: int = 700, template: bool = False):  # noqa: ANN201 - transformers is imported late
    """A BPE as Llama's: blanks as "▁", digits one by one, unknown bytes as byte tokens."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    corpus = [*texts()[:60], *(draft_of(spec_of("500; sex = F; age_years > 65; copd = false")) for _ in range(5))]
    corpus += [message["content"] for message in messages("men", schema=mimic_like())] * 3
    bytes_ = [f"<0x{number:02X}>" for number in range(256)]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Split("▁", "merged_with_next")]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )  # fmt: skip
    tokenizer.train_from_iterator(
        corpus,
        trainers.BpeTrainer(vocab_size=words, special_tokens=["<unk>", "<s>", "</s>", *bytes_], show_progress=False),
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
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


__all__ = ["diabetes_like", "mimic_like", "save", "spec_of", "texts", "tokenizer"]
