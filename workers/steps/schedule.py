"""When a step is to be tried again: one task for an upload at a time, however many ask for it."""

from gateway.metrics.catalogue import RETRIES
from gateway.uploads.lifecycle import Step
from workers.runtime import WorkerServices


async def later(services: WorkerServices, step: Step, upload_id: str, delay: float) -> None:
    """Have the step run after `delay` seconds, unless it is to run within that time already."""
    RETRIES.add(step)
    await services.due.add(step, upload_id, delay)
