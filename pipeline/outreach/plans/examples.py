"""Plans that show what plans can do, ready to be published; each call returns a new one."""

from __future__ import annotations

from typing import Any


def welcome(time_zone: str = "Europe/Berlin") -> dict[str, Any]:
    """Return a welcome: who opens it gets a follow-up, who does not a reminder, and that is it."""
    return {
        "version": "1.0",
        "timezone": time_zone,
        "quietHours": {"start": "21:00", "end": "08:00"},
        "defaults": {"timers": {"no_open_after": "PT72H", "no_click_after": "PT24H"}},
        "startNodeId": "welcome",
        "nodes": [_welcome(), _follow_up(), _reminder(), {"id": "end", "action": "stop"}],
    }


def _welcome() -> dict[str, Any]:
    return {
        "id": "welcome",
        "channel": "email",
        "action": "send",
        "subject": "Welcome, {{ contact.first_name | default('there', true) }}",
        "body": (
            "<p>Hello {{ contact.first_name | default('there', true) }},</p>\n"
            "<p>good to have you with us"
            "{% if contact.company %}, and greetings to {{ contact.company }}{% endif %}.</p>\n"
            '<p><a href="https://example.com/start">Begin here</a></p>\n'
            "<p>{{ sender.name }}</p>\n"
        ),
        "transitions": [
            {"on": "clicked", "to": "end"},
            {"on": "opened", "to": "follow-up"},
            {"on": "no_open", "to": "reminder", "after": "PT72H"},
        ],
    }


def _follow_up() -> dict[str, Any]:
    return {
        "id": "follow-up",
        "channel": "email",
        "action": "send",
        "subject": "Your first step",
        "body": (
            "<p>Most people begin with their calendar. It takes a minute:</p>\n"
            '<p><a href="https://example.com/calendar">Connect your calendar</a></p>\n'
            "<p>{{ sender.name }}</p>\n"
        ),
        "schedule": {"delay": "P1D"},
        "transitions": [
            {"on": "clicked", "to": "end"},
            {"on": "no_click", "to": "end", "after": "P1W"},
        ],
    }


def _reminder() -> dict[str, Any]:
    return {
        "id": "reminder",
        "channel": "email",
        "action": "send",
        "subject": "Did our welcome reach you?",
        "body": (
            "Hello {{ contact.first_name | default('there', true) }},\n\n"
            "we wrote to you a few days ago. Whenever you like: https://example.com/start\n\n"
            "{{ sender.name }}\n"
        ),
        "transitions": [
            {"on": "opened", "to": "end"},
            {"on": "no_open", "to": "end", "after": "PT72H"},
        ],
    }
