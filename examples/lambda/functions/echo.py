"""Answers with the event that it was given."""


def handler(event, context):
    return event
