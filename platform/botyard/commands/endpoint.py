"""``botyard endpoint``: addresses to which a customer's events are sent. See docs/endpoints.md."""

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from botyard.commands.output import AsJson, Yes, attached, confirm, say, show, show_json, show_one

if TYPE_CHECKING:
    from db.models import Endpoint, EndpointMessage

app = typer.Typer(help="Addresses to which customers' events are sent.", no_args_is_help=True)

_LISTED: Final = 20
EndpointName = Annotated[str, typer.Argument(metavar="ENDPOINT", help="Its number in the list, as 2 or end_2.")]
MessageName = Annotated[str, typer.Argument(metavar="MESSAGE", help="Its number, as 81 or msg_81.")]
CustomerOption = Annotated[str, typer.Option("--customer", help="Whose it is: a username, or a number in the list.")]


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="Where events are sent: https, on the internet.")],
    *,
    customer: CustomerOption = "default",
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Events of this type; may be said again. All but frequent ones.")
    ] = None,
    bots: Annotated[list[str] | None, typer.Option("--bot", help="Events of this bot; may be said again.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an endpoint; the secret that signs what is sent is shown this once."""
    from botyard.accounts.services import customer_number  # noqa: PLC0415
    from botyard.bots.registry import row_of  # noqa: PLC0415
    from botyard.endpoints.managing import NewEndpoint, add_endpoint  # noqa: PLC0415

    attached()
    numbers = [row_of(name) for name in bots] if bots else None
    made = add_endpoint(customer_number(customer), NewEndpoint(url, description, types or None, numbers))
    show_one(_line(made.endpoint) | {"secret": made.secret}, as_json=as_json)


@app.command(name="list")
def list_endpoints(
    *, customer: Annotated[str | None, typer.Option(help="Of this customer only.")] = None, as_json: AsJson = False
) -> None:
    """List the endpoints."""
    from botyard.accounts.services import customer_number  # noqa: PLC0415
    from botyard.endpoints.reading import all_endpoints  # noqa: PLC0415

    attached()
    found = all_endpoints(None if customer is None else customer_number(customer))
    show([_line(endpoint) for endpoint in found], as_json=as_json, nothing="No endpoints.")


@app.command(name="show")
def show_endpoint(
    endpoint: EndpointName,
    *,
    message: Annotated[str | None, typer.Option(help="One message instead: its body and its attempts.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show an endpoint with the latest messages to it, or one message with what was answered."""
    from botyard.endpoints.reading import message_of, messages_of  # noqa: PLC0415

    attached()
    found = _found(endpoint)
    if message is None:
        latest = [_message_line(one) for one in messages_of(found, None, None, _LISTED)]
        if as_json:
            show_json(_line(found) | {"messages": latest})
            return
        show_one(_line(found), as_json=False)
        say("")
        show(latest, as_json=False, nothing="Nothing was sent there in the last 30 days.")
        return
    seen = message_of(found, _number(message, "msg"))
    log = [
        {"at": one.at, "status": one.status, "error": one.error, "milliseconds": one.milliseconds, "answer": one.answer}
        for one in seen.attempts
    ]
    if as_json:
        show_json(_message_line(seen.message) | {"body": seen.message.body, "log": log})
        return
    show_one(_message_line(seen.message) | {"body": seen.message.body}, as_json=False)
    say("")
    show(log, as_json=False, nothing="No attempt was made yet.")


@app.command(name="test")
def send_one(endpoint: EndpointName, *, as_json: AsJson = False) -> None:
    """Send a test to an endpoint; `botyard endpoint show` says what became of it."""
    from botyard.endpoints.recovering import send_test  # noqa: PLC0415

    attached()
    show_one(_message_line(send_test(_found(endpoint).id)), as_json=as_json)


@app.command()
def resend(message: MessageName, *, as_json: AsJson = False) -> None:
    """Send a message again, under its id, whatever became of it."""
    from botyard.accounts.access import NotFound  # noqa: PLC0415
    from botyard.endpoints import recovering  # noqa: PLC0415
    from botyard.errors import InputError  # noqa: PLC0415

    attached()
    try:
        sent = recovering.resend(_number(message, "msg"))
    except NotFound:
        raise InputError("message", f"there is no message {message}.", "See `botyard endpoint show`.") from None
    show_one(_message_line(sent), as_json=as_json)


@app.command()
def remove(endpoint: EndpointName, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove an endpoint, with the record of what was sent to it."""
    from botyard.endpoints.managing import remove_endpoint  # noqa: PLC0415

    attached()
    found = _found(endpoint)
    confirm(f"Remove {found.url} with the record of what was sent there?", yes=yes)
    remove_endpoint(found.id)
    show_one({"removed": f"end_{found.id}", "url": found.url}, as_json=as_json)


def events(
    *,
    customer: CustomerOption = "default",
    after: Annotated[str | None, typer.Option(help="The last event that is known, as 1201 or evt_1201.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="Of this type only.")] = None,
    bot: Annotated[str | None, typer.Option(help="Of this bot only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what happened, in an order in which nothing ever appears before what was read."""
    from botyard.accounts.services import customer_number  # noqa: PLC0415
    from botyard.bots.registry import row_of  # noqa: PLC0415
    from botyard.endpoints.bodies import shown_event  # noqa: PLC0415
    from botyard.endpoints.settled import Chosen, latest_events, place_of_id, settled_events  # noqa: PLC0415

    attached()
    number = customer_number(customer)
    bots = None if bot is None else frozenset({row_of(bot)})
    chosen = Chosen(bots, None if kind is None else frozenset({kind}))
    if after is None:
        found = latest_events(number, chosen, limit)
    else:
        found = settled_events(number, place_of_id(number, _number(after, "evt")), chosen, limit)
    shown = [shown_event(event) for event in found]
    if as_json:
        show_json(shown)
        return
    lines = [
        {**event, "details": ", ".join(f"{name}: {value}" for name, value in event["details"].items())}
        for event in shown
    ]
    show(lines, as_json=False, nothing="Nothing happened.")


def _number(text: str, prefix: str) -> int:
    from botyard.errors import InputError  # noqa: PLC0415

    found = re.fullmatch(rf"(?:{prefix}_)?([1-9][0-9]{{0,17}})", text, re.ASCII)
    if found is None:
        raise InputError(prefix, f"{text!r} is no number of one.", f"They look like {prefix}_2.")
    return int(found[1])


def _found(name: str) -> "Endpoint":
    from botyard.accounts.access import NotFound  # noqa: PLC0415
    from botyard.endpoints.reading import endpoint_of_id  # noqa: PLC0415
    from botyard.errors import InputError  # noqa: PLC0415

    try:
        return endpoint_of_id(_number(name, "end"))
    except NotFound:
        raise InputError("endpoint", f"there is no endpoint {name}.", "See `botyard endpoint list`.") from None


def _line(endpoint: "Endpoint") -> dict[str, Any]:
    return {
        "id": f"end_{endpoint.id}", "customer": endpoint.customer_id, "url": endpoint.url, "status": endpoint.status,
        "reason": endpoint.status_reason, "types": ", ".join(endpoint.types) if endpoint.types else "",
        "bots": ", ".join(f"bot_{bot}" for bot in endpoint.bots) if endpoint.bots else "",
        "failing_since": endpoint.failing_since, "description": endpoint.description,
    }  # fmt: skip


def _message_line(message: "EndpointMessage") -> dict[str, Any]:
    return {
        "id": f"msg_{message.id}", "type": message.type, "state": message.state, "attempts": message.attempts,
        "created": message.created_at, "due": message.due if message.state == "waiting" else None,
        "ended": message.ended_at,
    }  # fmt: skip
