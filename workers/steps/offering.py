"""`inspect` for uploads with records that came with the task, and may not be in the bucket yet."""

from gateway.errors import OfferLapsed
from gateway.records.offers import Offers, offered
from gateway.telemetry import get_logger
from gateway.uploads.record import Upload
from workers.runtime import WorkerServices
from workers.steps.inspection import inspect, inspect_entry
from workers.steps.opening import open_offered
from workers.steps.poison import StepWork
from workers.steps.resumption import resume

log = get_logger(__name__)


def inspecting(offers: Offers) -> StepWork:
    """The step for the uploads of one message, with offers for some or all of them."""

    async def work(upload_id: str, services: WorkerServices) -> None:
        upload = offered(offers, upload_id, services.backends.ring)
        if upload is None:
            await inspect(upload_id, services)
        else:
            await inspect_offered(upload, services)

    return work


async def inspect_offered(upload: Upload, services: WorkerServices) -> None:
    """Inspect and register an upload, by the offered record, or the bucket's if that has lapsed."""
    try:
        await inspect_entry(open_offered(upload), services)
    except OfferLapsed as lapsed:
        log.info("offer.lapsed", reason=str(lapsed))
        await resume(upload.id, services)
