"""Fails: always where it is given no order, else the first two times that it sees one."""

import tempfile
from pathlib import Path

# A failed function may be started anew, so what it saw is kept in the one place that functions may write to.
seen = Path(tempfile.gettempdir())


def handler(event, context):
    order = event.get("order")
    if order is None:
        raise ValueError("no order")
    tries = seen / f"order-{int(order)}"
    with tries.open("ab") as file:
        file.write(b".")
    count = tries.stat().st_size
    if count < 3:
        raise RuntimeError(f"order {order} failed on try {count}")
    return {"order": order, "tries": count}
