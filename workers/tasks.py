"""The tasks: one per step, each a shell over the step of the same name."""

from celery.exceptions import Reject

from gateway.records.offers import Offers
from gateway.uploads.lifecycle import Step
from workers import runtime, sweep
from workers.celery import app
from workers.steps import (
    audit,
    notification,
    offering,
    poison,
    registration,
    removal,
    resumption,
)


@app.task(name=Step.INSPECT.value)
def inspect_uploads(upload_ids: list[str] | str, offers: Offers | None = None) -> None:
    """Sniff, verify and judge the stored files, and register them.

    Earlier gateways sent one id instead of a list, and made no offers.
    """
    ids = [upload_ids] if isinstance(upload_ids, str) else upload_ids
    _run(poison.several(Step.INSPECT, ids, offering.inspecting(offers or {})))


@app.task(name=Step.REGISTER.value)
def register_upload(upload_id: str) -> None:
    """Send ChatKitty the reference to the file."""
    _run(poison.one(Step.REGISTER, upload_id, registration.register))


@app.task(name=Step.AUDIT.value)
def audit_uploads(upload_ids: list[str]) -> None:
    """Compare relayed files with what ChatKitty reported."""
    _run(poison.several(Step.AUDIT, upload_ids, audit.audit))


@app.task(name=Step.RESUME.value)
def resume_upload(upload_id: str) -> None:
    """Run the upload's next step."""
    _run(poison.one(Step.RESUME, upload_id, resumption.resume))


@app.task(name=Step.REMOVE.value)
def remove_file(order_id: str) -> None:
    """Carry out an order to remove a hosted file."""
    _run(poison.one(Step.REMOVE, order_id, removal.remove))


@app.task(name=Step.NOTIFY.value)
def send_messages(names: list[str]) -> None:
    """Send messages about the ends of uploads to the endpoints of webhooks."""
    _run(poison.several(Step.NOTIFY, names, notification.notify))


@app.task(name=Step.SWEEP.value)
def sweep_bucket() -> None:
    """Resume what was left behind."""
    _run(sweep.sweep)


def _run(work: runtime.Work) -> None:
    try:
        runtime.run(work)
    except runtime.Interrupted:
        raise Reject("the worker is stopping", requeue=True) from None
