"""Conversations in the database: in order, together with their data set and cohorts, from several tabs at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.core.errors import UserError
from engine.core.workspace import Workspace
from engine.storage.conversations import ConversationStore, Outcome
from engine.storage.database import Database
from engine.storage.records import State

FORM = {"patients": 1000}


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.for_workspace(Workspace(tmp_path / "workspace"))


@pytest.fixture
def store(database: Database) -> ConversationStore:
    return ConversationStore(database)


def dataset(database: Database, name: str = "ward.csv") -> str:
    return database.add_dataset(name=name, source="csv", location=name, state=State.READY).id


def test_what_was_said_comes_back_in_order_and_names_the_conversation(
    database: Database, store: ConversationStore
) -> None:
    id = store.add(dataset_id=dataset(database), form=FORM).id
    store.append(id, text=None, turn={"intent": "refuse"}, before=FORM)
    store.append(id, text="500 women", turn={"intent": "generate"}, before=FORM, outcome=Outcome.PROPOSED)
    store.append(id, text="over 65", turn=None, before=FORM, error="it failed")
    first, second, third = store.exchanges(id)
    assert [one.position for one in (first, second, third)] == [1, 2, 3]
    assert (first.text, first.turn, first.outcome) == (None, {"intent": "refuse"}, None)
    assert (second.text, second.outcome) == ("500 women", Outcome.PROPOSED)
    assert (third.turn, third.error) == (None, "it failed")
    assert store.get(id).title == "500 women", "the first text that is kept"
    assert second.created_at.tzinfo is not None


def test_applying_changes_form_and_exchange_together(database: Database, store: ConversationStore) -> None:
    id = store.add(dataset_id=dataset(database), form=FORM).id
    store.append(id, text="500", turn={}, before=FORM, outcome=Outcome.PROPOSED)
    revision = store.get(id).revision
    changed = store.settle(id, 1, Outcome.APPLIED, before={"patients": 7}, form={"patients": 500})
    assert (changed.form, changed.revision) == ({"patients": 500}, revision + 1)
    assert (store.exchanges(id)[0].outcome, store.exchanges(id)[0].before) == (Outcome.APPLIED, {"patients": 7})
    with pytest.raises(UserError, match="no request 2"):
        store.settle(id, 2, Outcome.APPLIED)


def test_keeping_the_same_form_is_no_change(database: Database, store: ConversationStore) -> None:
    id = store.add(dataset_id=dataset(database), form=FORM).id
    assert store.keep_form(id, FORM).revision == 0
    assert store.keep_form(id, {"patients": 2}).revision == 1


def test_tabs_that_speak_at_once_lose_nothing(database: Database, store: ConversationStore) -> None:
    id = store.add(dataset_id=dataset(database), form=FORM).id

    def say(number: int) -> None:
        ConversationStore(database).append(id, text=f"request {number}", turn=None, before=FORM)

    with ThreadPoolExecutor(4) as tabs:
        list(tabs.map(say, range(20)))
    said = store.exchanges(id)
    assert [one.position for one in said] == list(range(1, 21))
    assert {one.text for one in said} == {f"request {number}" for number in range(20)}
    assert store.get(id).revision == 20


def test_the_last_changed_conversation_of_a_data_set_comes_first(database: Database, store: ConversationStore) -> None:
    one, other = dataset(database), dataset(database, "other.csv")
    early, late = (store.add(dataset_id=one, form=FORM).id for _ in range(2))
    store.add(dataset_id=other, form=FORM)
    store.append(early, text="again", turn=None, before=FORM)
    assert [record.id for record in store.of_dataset(one)] == [early, late]
    assert store.counts(one) == {early: 1}


def test_a_deleted_conversation_leaves_its_cohorts(database: Database, store: ConversationStore) -> None:
    source = dataset(database)
    model = database.add_model(dataset_id=source, generator="dp_cgan")
    id = store.add(dataset_id=source, form=FORM).id
    store.append(id, text="500 women", turn=None, before=FORM)
    cohort = database.add_cohort(model_id=model.id, name="500 women", spec=FORM, conversation_id=id)
    assert database.cohort(cohort.id).conversation_id == id
    store.delete(id)
    assert database.cohort(cohort.id).conversation_id is None
    assert store.exchanges(id) == []
    with pytest.raises(UserError, match="no longer kept"):
        store.get(id)
    with pytest.raises(UserError, match="no longer kept"):
        store.append(id, text="late", turn=None, before=FORM)


def test_conversations_go_with_their_data_set(database: Database, store: ConversationStore) -> None:
    gone, stays = dataset(database), dataset(database, "other.csv")
    of_gone, of_stays = (store.add(dataset_id=id, form=FORM).id for id in (gone, stays))
    store.append(of_gone, text="500 women", turn=None, before=FORM)
    store.append(of_stays, text="500 men", turn=None, before=FORM)
    database.delete_dataset(gone)
    assert store.exchanges(of_gone) == []
    assert [one.text for one in store.exchanges(of_stays)] == ["500 men"]
    with pytest.raises(UserError):
        store.get(of_gone)


def test_a_conversation_needs_a_data_set(store: ConversationStore) -> None:
    with pytest.raises(UserError, match="no data set"):
        store.add(dataset_id="nothing", form=FORM)
