"""Speaks as API Gateway's functions do: the event is an HTTP request, the answer says status, headers and body."""


def handler(event, context):
    query = event.get("queryStringParameters") or {}
    name = query.get("name", "stranger")
    return {
        "statusCode": 200,
        "headers": {"content-type": "text/plain; charset=utf-8", "x-greeted": name},
        "body": f"Hello, {name}! This was {event['httpMethod']} {event['path']}.\n",
    }
