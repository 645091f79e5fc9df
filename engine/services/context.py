"""What every service works with: settings, workspace, database, queue and the worker's supervisor."""

from dataclasses import dataclass
from functools import cached_property

from engine.core.settings import Settings
from engine.core.workspace import Workspace
from engine.jobs.queue import Queue
from engine.jobs.supervisor import Supervisor
from engine.privacy.ledger import Ledger
from engine.storage.database import Database


@dataclass(frozen=True)
class Context:
    """The open workspace."""

    settings: Settings
    workspace: Workspace
    database: Database
    queue: Queue
    supervisor: Supervisor

    @classmethod
    def open(cls, settings: Settings) -> "Context":
        """Open (or create) the workspace that ``settings`` names."""
        workspace = Workspace(settings.workspace)
        database = Database.for_workspace(workspace, settings.database_url)
        queue = Queue(database, lease_seconds=settings.worker_lease_seconds)
        supervisor = Supervisor(workspace, queue, settings=settings)
        return cls(settings, workspace, database, queue, supervisor)

    @cached_property
    def ledger(self) -> Ledger:
        """What private trainings have cost."""
        # The second accountant would load scipy into the dashboard; the worker asks it before anything is measured.
        return Ledger(self.database, self.workspace, epsilon_limit=self.settings.epsilon_limit, quick=True)

    def submit(self, kind: str, payload: dict, *, subject: str) -> str:
        """Queue a job and see to it that a worker runs; returns the job's id."""
        job = self.queue.submit(kind, payload, subject=subject)
        self.supervisor.ensure()
        return job.id
