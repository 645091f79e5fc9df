"""The whole path in one process on a Llama of random weights: load, draft, explain, stop, share."""

import shutil
import threading
from pathlib import Path

import pytest

from engine.cohort.spec import CohortSpec, Criterion
from engine.conversation.language_model import loading
from engine.conversation.language_model.backend import LLAMA_2_TEMPLATE, LanguageModel, _generate, _inputs
from engine.conversation.language_model.loading import shared
from engine.conversation.language_model.masking import bracket_tokens
from engine.conversation.language_model.needs import needs
from engine.conversation.language_model.settings import LLAMA_2, LLAMA_2_REVISION, LlamaSettings
from engine.conversation.language_model.spans import understood
from engine.core.errors import CohortStudioError, UserError
from tests.conversation.language_model.tiny_model import save, save_asking, texts, tokenizer
from tests.conversation.patient_table_shape import diabetes_like, mimic_like, spec_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_asking(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def model(folder: Path) -> LanguageModel:
    return LanguageModel(LlamaSettings(model=str(folder), explanation_tokens=24))


def test_shards_are_loaded_and_measured(folder: Path, model: LanguageModel) -> None:
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    loaded = model.load()
    parameters = sum(one.numel() for one in loaded.model.parameters())
    assert loaded.memory_mb == pytest.approx(2 * parameters / 1e6, rel=0.01), "two bytes per weight"
    assert loaded.seconds > 0 and loaded.context == 16_384


@pytest.mark.parametrize("schema", [mimic_like(), diabetes_like()], ids=["mimic", "diabetes"])
def test_every_request_gets_a_turn_of_the_source(model: LanguageModel, schema: object) -> None:
    cohorts = 0
    for text in texts()[:60:6]:
        try:
            turn = model.parse(text, schema=schema)
        except UserError as error:
            assert "not a valid request" in str(error)  # random ends out of order: whole, but senseless
            continue
        assert turn.backend == "llama" and turn.seconds > 0
        if turn.spec is not None:
            cohorts += 1
            assert all(entry.text in text for entry in turn.understood)
            said = [entry.criterion for entry in turn.understood if entry.criterion is not None]
            assert said == list(turn.spec.criteria)
    assert cohorts > 3


def test_explanations_are_told_in_pieces_and_are_no_json(model: LanguageModel) -> None:
    pieces: list[str] = []
    turn = model.parse("85 women", schema=mimic_like(), tell=pieces.append)
    assert turn.spec is not None
    assert len(pieces) > 1
    assert not set("".join(pieces)) & set("{}[]")


def test_braces_are_not_written_even_where_they_are_the_likeliest(model: LanguageModel) -> None:
    import torch

    loaded = model.load()
    brackets = bracket_tokens(loaded.tokenizer)
    assert {"{", "}", "[", "]"} <= {loaded.tokenizer.decode([token]).strip() for token in brackets}

    def favour(_: object, scores: torch.Tensor) -> torch.Tensor:
        scores[:, brackets] += 1e4
        return scores

    inputs = _inputs(loaded, [{"role": "user", "content": "women"}], room=8)
    written = _generate(
        loaded, inputs, 8, threading.Event(), suppress_tokens=brackets, logits_processor=[favour]
    )  # fmt: skip
    assert len(written) and not set(written.tolist()) & set(brackets)


def test_one_request_has_one_answer(model: LanguageModel) -> None:
    first, second = (model.parse("40 men over 85", schema=mimic_like()) for _ in range(2))
    assert first.spec == second.spec


def test_stop_ends_at_the_next_token(folder: Path) -> None:
    model = LanguageModel(LlamaSettings(model=str(folder), explanation_tokens=512))
    stop = threading.Event()
    stop.set()
    with pytest.raises(CohortStudioError, match="stopped"):
        model.parse("85 women", schema=mimic_like(), stop=stop)
    later, pieces = threading.Event(), []

    def tell(piece: str) -> None:
        pieces.append(piece)
        later.set()  # the draft is done: this ends the explanation

    with pytest.raises(CohortStudioError, match="stopped"):
        model.parse("85 women", schema=mimic_like(), stop=later, tell=tell)
    assert len(pieces) < 4


def test_stop_ends_the_wait_for_another_request(model: LanguageModel) -> None:
    stop = threading.Event()
    with model.load().lock:
        threading.Timer(0.2, stop.set).start()
        with pytest.raises(CohortStudioError, match="stopped"):
            model.parse("85 women", schema=mimic_like(), stop=stop)


def test_two_threads_share_one_load_and_take_turns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []
    load = loading._load
    monkeypatch.setattr(loading, "_load", lambda settings: loads.append(settings) or load(settings))
    loading._cached.clear()
    settings = LlamaSettings(model=str(folder), explanation_tokens=0)
    results = []

    def work() -> None:
        results.append(LanguageModel(settings).parse("85 women", schema=mimic_like()).spec)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert len(results) == 2 and results[0] == results[1]


def test_an_adapter_changes_what_is_written(folder: Path, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    adapted = get_peft_model(
        AutoModelForCausalLM.from_pretrained(folder),
        LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    torch.manual_seed(3)
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.5)
    adapted.save_pretrained(tmp_path / "adapter")
    plain = shared(LlamaSettings(model=str(folder)))
    tuned = shared(LlamaSettings(model=str(folder), adapter=str(tmp_path / "adapter")))
    ids = torch.tensor([[1, 40, 50]])
    with torch.inference_mode():
        assert not torch.allclose(plain.model(ids).logits, tuned.model(ids).logits)
    assert any("lora" in name for name, _ in tuned.model.named_parameters())


def test_what_cannot_be_loaded_says_why(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reason(**fields: object) -> str:
        with pytest.raises(UserError) as caught:
            shared(LlamaSettings(**fields))
        return str(caught.value)

    assert "no config.json" in reason(model=str(tmp_path / "nowhere"))
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(folder / "config.json", bare)
    (bare / "pytorch_model.bin").write_bytes(b"pickled")
    assert "safetensors" in reason(model=str(bare))
    cut = Path(shutil.copytree(folder, tmp_path / "cut"))
    lost = sorted(cut.glob("model-*.safetensors"))[-1]
    lost.unlink()
    assert lost.name in reason(model=str(cut))
    lost.write_bytes(b"not a tensor")
    assert "can be read" in reason(model=str(cut))
    assert "adapter_config.json" in reason(model=str(folder), adapter=str(tmp_path))
    assert "4 bits" in reason(model=str(folder), four_bit=True)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("engine.conversation.language_model.needs.on_disk", lambda settings: None)
    assert "HF_TOKEN" in reason() and "Llama 2 Community License" in reason()


def test_the_needs_of_llama_2_are_known_before_the_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.conversation.language_model.needs.on_disk", lambda settings: None)
    monkeypatch.setenv("HF_TOKEN", "secret")
    found = needs(LlamaSettings())
    assert found.download_gb == pytest.approx(13.5, abs=0.1) and found.token_is_set
    assert found.memory_gb is not None and 13.5 < found.memory_gb < 16
    in_four_bits = needs(LlamaSettings(four_bit=True)).memory_gb
    assert in_four_bits is not None and 5 <= in_four_bits <= 6.5
    assert "secret" not in repr(found) + repr(LlamaSettings()) and LlamaSettings().pinned == LLAMA_2_REVISION
    assert LlamaSettings(model="other/model").pinned is None


def test_too_little_memory_is_said_before_loading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    nothing = psutil.virtual_memory()._replace(available=1000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: nothing)
    with pytest.raises(UserError, match="GB of memory"):
        shared(LlamaSettings(model=str(folder), max_new_tokens=65))


def test_settings_come_from_caller_then_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHORT_STUDIO_LLAMA_MODEL", "from/environment")
    monkeypatch.setenv("COHORT_STUDIO_LLAMA_MAX_NEW_TOKENS", "128")
    assert LlamaSettings().model == "from/environment" and LlamaSettings().max_new_tokens == 128
    assert LlamaSettings(model="from/page").model == "from/page"
    monkeypatch.delenv("COHORT_STUDIO_LLAMA_MODEL")
    assert LlamaSettings().model == LLAMA_2


def test_a_prompt_longer_than_the_context_is_refused(tmp_path: Path) -> None:
    small = LanguageModel(LlamaSettings(model=str(save(tmp_path / "small", context=1024))))
    with pytest.raises(UserError, match="Shorten the text"):
        small.parse("85 women", schema=mimic_like())


def test_personal_data_never_reaches_the_model(model: LanguageModel) -> None:
    with pytest.raises(UserError, match="e-mail"):
        model.parse("women like jane.doe@example.org", schema=mimic_like())


def test_the_fallback_template_is_llama_2s() -> None:
    words = tokenizer()
    asked = [{"role": "system", "content": "S"}, {"role": "user", "content": "A"},
             {"role": "assistant", "content": "B"}, {"role": "user", "content": "C"}]  # fmt: skip
    said = words.apply_chat_template(asked, chat_template=LLAMA_2_TEMPLATE, tokenize=False)
    assert said == "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nA [/INST] B </s><s>[INST] C [/INST]"


def test_words_are_found_for_what_the_rules_read_otherwise() -> None:
    text = "85 women with BMI over 30, please"
    spec = CohortSpec(
        patients=85,
        criteria=(Criterion(column="sex", any_of=("F",)), Criterion(column="bmi", minimum=30),
                  Criterion(column="copd", any_of=(True,))),
    )  # fmt: skip
    entries = {entry.criterion.column: entry.text
               for entry in understood(spec, text, schema=mimic_like()) if entry.criterion}  # fmt: skip
    assert entries == {"sex": "women", "bmi": "BMI over 30", "copd": text}
    kept = spec_of("85; sex = F")
    again = understood(spec, text, schema=mimic_like(), previous=kept)
    assert "sex" not in {entry.criterion.column for entry in again if entry.criterion}
