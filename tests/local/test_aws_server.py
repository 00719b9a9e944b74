from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any


def test_a_received_message_comes_back_by_the_machines_clock_and_not_by_real_time(cloud: Any) -> None:
    cloud.send("work", '{"record_id": "mail_1"}')
    assert [message["Body"] for message in cloud.receive("work")] == ['{"record_id": "mail_1"}']
    assert cloud.receive("work") == []
    cloud.clock.set(cloud.clock.now() + timedelta(seconds=180))
    assert cloud.receive("work") == []
    cloud.clock.set(cloud.clock.now() + timedelta(milliseconds=1))
    assert [message["Attributes"]["ApproximateReceiveCount"] for message in cloud.receive("work")] == ["2"]


def test_messages_carry_the_machines_time(cloud: Any) -> None:
    cloud.clock.set(datetime(2031, 5, 1, tzinfo=UTC))
    cloud.send("work", "{}")
    [message] = cloud.receive("work")
    sent = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    assert sent == datetime(2031, 5, 1, tzinfo=UTC)


def test_a_message_is_dead_after_five_tries(cloud: Any) -> None:
    cloud.send("charges", '{"record_id": "inv_1"}')
    for _ in range(5):
        assert len(cloud.receive("charges")) == 1
        assert cloud.server.bring_back() == 1
    assert cloud.receive("charges") == []
    assert [message["Body"] for message in cloud.receive("charges", dead=True)] == ['{"record_id": "inv_1"}']


def test_a_group_waits_for_its_message_in_flight_and_other_groups_do_not(cloud: Any) -> None:
    cloud.send("billing", '{"n": 1}', MessageGroupId="mer_a", MessageDeduplicationId="1")
    assert len(cloud.receive("billing")) == 1
    cloud.send("billing", '{"n": 2}', MessageGroupId="mer_a", MessageDeduplicationId="2")
    cloud.send("billing", '{"n": 3}', MessageGroupId="mer_b", MessageDeduplicationId="3")
    assert [message["Body"] for message in cloud.receive("billing")] == ['{"n": 3}']


def test_messages_past_their_retention_are_dropped_and_hide_nothing(cloud: Any) -> None:
    cloud.send("work", '{"n": "old"}')
    cloud.clock.set(cloud.clock.now() + timedelta(days=4))
    cloud.send("work", '{"n": "new"}')
    cloud.server.expire_messages()
    assert [message["Body"] for message in cloud.receive("work")] == ['{"n": "new"}']


def test_in_flight_messages_say_when_they_come_back(cloud: Any) -> None:
    cloud.send("work", "{}")
    cloud.receive("work")
    [message] = cloud.server.in_flight()
    assert (message.queue, message.back_at) == ("till-work", cloud.clock.now() + timedelta(seconds=180))


def test_accepted_mail_is_kept_with_both_bodies_and_the_machines_time(cloud: Any) -> None:
    mailer = cloud.client("sesv2")
    cloud.client("ses").verify_email_identity(EmailAddress="mail@till.example")
    mailer.send_email(
        FromEmailAddress="mail@till.example",
        Destination={"ToAddresses": ["anna@example.com"]},
        Content={
            "Simple": {
                "Subject": {"Data": "Receipt"},
                "Body": {"Text": {"Data": "plain"}, "Html": {"Data": "<p>rich</p>"}},
            }
        },
    )
    [mail] = cloud.server.mail()
    assert (mail.to, mail.text, mail.html, mail.at) == (
        ("anna@example.com",),
        "plain",
        "<p>rich</p>",
        cloud.clock.now(),
    )


def test_mail_that_ses_refuses_is_not_kept(cloud: Any) -> None:
    mailer = cloud.client("sesv2")
    refused = False
    try:
        mailer.send_email(
            FromEmailAddress="nobody@elsewhere.example",
            Destination={"ToAddresses": ["anna@example.com"]},
            Content={"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}},
        )
    except mailer.exceptions.MessageRejected:
        refused = True
    assert refused
    assert cloud.server.mail() == []


def test_eight_senders_at_once_lose_no_message(cloud: Any) -> None:
    with ThreadPoolExecutor(8) as senders:
        list(senders.map(lambda n: cloud.send("work", f'{{"n": {n}}}'), range(80)))
    received = set()
    while messages := cloud.receive("work"):
        received |= {message["Body"] for message in messages}
    assert received == {f'{{"n": {n}}}' for n in range(80)}
