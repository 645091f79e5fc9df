"""The sections of the Compare page in AppTest: only the open one is drawn."""

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Tab


def open_section(app: AppTest, name: str) -> Tab:
    """Open the section called ``name`` and return it as it is drawn."""
    app.session_state["section"] = name
    app.run()
    assert not app.exception
    return next(tab for tab in app.tabs if tab.label == name)


def every_section(app: AppTest) -> dict[str, Tab]:
    """Each section by name, opened one after the other."""
    return {name: open_section(app, name) for name in [tab.label for tab in app.tabs]}
