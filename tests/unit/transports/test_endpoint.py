"""Device URLs: what is understood, and what is refused before it can become an option or a command."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.core.errors import ConfigurationError
from edgekit.transports import Endpoint


@pytest.mark.parametrize(
    ("url", "user", "host", "port"),
    [
        ("ssh://pi@raspberrypi.local", "pi", "raspberrypi.local", 22),
        ("ssh://pi@192.168.1.7:2222", "pi", "192.168.1.7", 2222),
        ("ssh://pi@[::1]:2222", "pi", "::1", 2222),
        ("ssh://pi@[2001:DB8:0::7]/", "pi", "2001:db8::7", 22),
        ("ssh://pi@[fe80::1%eth0]", "pi", "fe80::1%eth0", 22),
        ("ssh://pi@[fe80::1%25eth0]", "pi", "fe80::1%eth0", 22),
        ("openssh://_svc-1.x@a_b.example.:65535", "_svc-1.x", "a_b.example.", 65535),
        ("adb://me@emulator-5554", "me", "emulator-5554", 22),
    ],
)
def test_url_is_taken_apart(url, user, host, port):
    endpoint = Endpoint.parse(url)

    assert (endpoint.user, endpoint.host, endpoint.port) == (user, host, port)
    assert Endpoint.parse(str(endpoint)) == endpoint


@pytest.mark.parametrize(("url", "path"), [("local://", ""), ("local:///", ""), ("local:///srv/device", "/srv/device")])
def test_local_url_may_name_a_folder(url, path):
    assert Endpoint.parse(url).path == path


@pytest.mark.parametrize(
    "url",
    [
        "",
        "raspberrypi.local",
        "pi@raspberrypi",
        "SSH://pi@host",
        "ssh:/pi@host",
        "ssh://host",
        "ssh://@host",
        "ssh://pi@",
        "ssh://pi@:22",
        "ssh://pi@host:",
        "ssh://pi@host:0",
        "ssh://pi@host:70000",
        "ssh://pi@host:22;id",
        "ssh://pi@host:-1",
        "ssh://pi@host:²²",
        "ssh://pi@host:" + "9" * 5000,
        "ssh://pi@host/etc",
        "ssh://pi@host?x=1",
        "ssh://pi@host#x",
        "ssh://pi@-oProxyCommand=touch x",
        "ssh://pi@-host",
        "ssh://pi@host-",
        "ssh://pi@a..b",
        "ssh://pi@" + "a" * 64,
        "ssh://pi@" + "a." * 127 + "a",
        "ssh://pi@1.2.3",
        "ssh://pi@1.2.3.256",
        "ssh://pi@host\n",
        "ssh://pi@ho\0st",
        "ssh://pi@ho st",
        "ssh://pi@$(id)",
        "ssh://pi@`id`",
        "ssh://pi@host;id",
        "ssh://pi@höst",
        "ssh://pi@host\u202e",
        "ssh://-l@host",
        "ssh://pi;id@host",
        "ssh://p i@host",
        "ssh://pi@pi@host",
        "ssh://" + "u" * 33 + "@host",
        "ssh://pi@[::1",
        "ssh://pi@::1",
        "ssh://pi@[nonsense]",
        "ssh://pi@[127.0.0.1]",
        "ssh://pi@[fe80::1]",
        "ssh://pi@[fe80::1%]",
        "ssh://pi@[fe80::1%-eth0]",
        "ssh://pi@[fe80::1%eth0;id]",
        "local://host",
        "local://pi@/x",
        "local://:22",
        "../ssh://pi@host",
    ],
)
def test_malformed_url_is_a_configuration_error_with_a_way_out(url):
    with pytest.raises(ConfigurationError) as caught:
        Endpoint.parse(url)

    assert caught.value.hint
    assert len(caught.value.message) < 1500
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("rest", ["@host", "@ho st", "@host/x", "@host:x", "@", "@a@host", "\n@host"])
def test_password_in_a_url_is_refused_and_not_repeated(rest):
    with pytest.raises(ConfigurationError) as caught:
        Endpoint.parse(f"ssh://pi:hunter2{rest}")

    assert "hunter2" not in str(caught.value.as_json())


@given(st.text(max_size=60))
def test_any_text_is_understood_or_refused(text):
    for url in (text, f"ssh://{text}", f"ssh://pi@{text}", f"ssh://pi@host:{text}"):
        try:
            endpoint = Endpoint.parse(url)
        except ConfigurationError:
            continue
        assert not endpoint.host.startswith("-")
        assert not endpoint.user.startswith("-")
        assert Endpoint.parse(str(endpoint)) == endpoint
