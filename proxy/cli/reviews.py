"""`promptshield review`: what policies stopped and a person is to look at, and letting it pass."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import orjson
import typer

from detectors.errors import StorageError
from policies.quantities import parse_days
from proxy.cli.common import ConfigOption, DataOption, actor, with_database
from storage.reviews import Review, ReviewQueue, ReviewStatus

app = typer.Typer(no_args_is_help=True)
IdArgument = Annotated[str, typer.Argument(help="The id of the decision.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it stands in the admin audit, and in the exclusion.")]


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant.")] = None,
    status: Annotated[str, typer.Option(help="open, released, rejected or all.")] = "open",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """List reviews, the longest waiting first. `promptshield decisions show ID --bodies` shows what was stopped."""
    if status != "all" and status not in {*ReviewStatus}:
        raise typer.BadParameter("one of open, released, rejected, all", param_hint="--status")
    wanted = None if status == "all" else ReviewStatus(status)
    reviews = with_database(
        config, data, lambda database, _keys, _settings: ReviewQueue(database).list(tenant, wanted, limit)
    )
    for review in reviews:
        print(_as_json(review) if json else _as_line(review))
    if not reviews and not json:
        print("nothing waits")


@app.command()
def release(
    decision_id: IdArgument,
    reason: ReasonOption,
    days: Annotated[str, typer.Option("--for", help="How long it passes: 30d, 12w.")] = "30d",
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Let what was stopped pass, for its tenant, in that very text: whoever tries again gets through."""
    until = datetime.now(UTC).date() + timedelta(days=_days(days))
    review = with_database(
        config,
        data,
        lambda database, _keys, _settings: _released(ReviewQueue(database), decision_id, reason, until=until),
    )
    print(f"released until {until}: {', '.join(_rules(review))} in this text, for {review.tenant}")


@app.command()
def reject(decision_id: IdArgument, reason: ReasonOption, config: ConfigOption = None, data: DataOption = None) -> None:
    """Say that the policy was right."""
    with_database(
        config,
        data,
        lambda database, _keys, _settings: ReviewQueue(database).reject(decision_id, actor=actor(), reason=reason),
    )
    print("rejected")


async def _released(queue: ReviewQueue, decision_id: str, reason: str, *, until: date) -> Review:
    review = await queue.find(decision_id)
    if review is None:
        raise StorageError(f"no open review of decision {decision_id}")
    if not review.findings:
        raise StorageError("this decision says nothing of what stopped it: nothing can be let pass")
    await queue.release(decision_id, actor=actor(), reason=reason, until=until)
    return review


def _days(text: str) -> int:
    try:
        return parse_days(text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--for") from None


def _rules(review: Review) -> list[str]:
    return sorted({str(found["rule"]) for found in review.findings})


def _as_line(review: Review) -> str:
    opened = f"{review.opened_at:%Y-%m-%d %H:%M}"
    by = f"  {review.status} by {review.decided_by}: {review.reason}" if review.decided_by else ""
    return f"{review.id}  {opened}  {review.tenant}  {', '.join(_rules(review)) or '-'}  until {review.until}{by}"


def _as_json(review: Review) -> str:
    return orjson.dumps(review).decode()
