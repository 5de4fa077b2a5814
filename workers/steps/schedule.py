"""Schedules retries of a step: one task per upload at a time, however often it is requested."""

from gateway.metrics.catalogue import RETRIES
from gateway.uploads.lifecycle import Step
from workers.runtime import WorkerServices


async def later(services: WorkerServices, step: Step, upload_id: str, delay: float) -> None:
    """Have the step run after `delay` seconds, unless it will run within that time anyway."""
    RETRIES.add(step)
    await services.due.add(step, upload_id, delay)
