"""The tasks: one per step, each a shell over the step that bears its name."""

from gateway.uploads.lifecycle import Step
from workers import runtime, sweeper
from workers.celery import app
from workers.steps import audit, inspection, registration


@app.task(name=Step.INSPECT.value)
def inspect_upload(upload_id: str) -> None:
    """Sniff, verify and judge the stored file."""
    runtime.run(upload_id, inspection.inspect)


@app.task(name=Step.REGISTER.value)
def register_upload(upload_id: str) -> None:
    """Give ChatKitty the reference to the file."""
    runtime.run(upload_id, registration.register)


@app.task(name=Step.AUDIT.value)
def audit_uploads(upload_ids: list[str]) -> None:
    """Hold relayed files against what ChatKitty took them for."""
    runtime.run_all(upload_ids, audit.audit)


@app.task(name=Step.SWEEP.value)
def sweep() -> None:
    """Send again what was left behind."""
    runtime.run("", sweeper.sweep)
