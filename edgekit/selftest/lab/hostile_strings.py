"""Texts that are commands, options, paths or steering codes wherever somebody forgets to quote."""

from __future__ import annotations

from pathlib import Path

_SHELL = (
    *(";touch {}", "|touch {}", "&touch {}", "&&touch {}", "||touch {}", "\ntouch {}\n", "\r\ntouch {}\r\n"),
    *("$(touch {})", "`touch {}`", "${{IFS}}touch${{IFS}}{}", "';touch {};'", '";touch {};"', "\\';touch {};#"),
    *("<(touch {})", ">{}", ">>{}", "\x00;touch {}", "$'\\x3btouch {}'", "!touch {}", "%0atouch {}", "{{touch,{}}}"),
)
_OPTIONS = (
    *("-oProxyCommand=touch {}", "-oLocalCommand=touch {}", "-oKnownHostsCommand=touch {}", "-Ftouch {}", "-S{}"),
    *("--", "-", "--help", "--rsync-path=touch {}", "-e touch {}", "-D {}", "-w{}", "@{}", "-c touch {}"),
    *(
        '"\nProxyCommand touch {}\n"',
        'x" -oProxyCommand="touch {}',
        "%h%p%r;touch {}",
        "${{HOME}};touch {}",
        "~/;touch {}",
    ),
)
_PYTHON = (
    *("__import__('os').system('touch {}')", "{{0.__class__}}", "%(x)s%n%s", "{}{}", "os;touch {}", "../os", ".os"),
    *("!!python/object/apply:os.system ['touch {}']", "cos\nsystem\n(S'touch {}'\ntR.", "__main__", "fake.evil"),
)
_PATHS = (
    *("../{}", "../../../../../../../..{}", "/{}", "//{}", "{}/.", "{}/..", "....//{}", "..\\..\\{}", "C:\\{}"),
    *(
        "/dev/stdin",
        "/dev/tcp/127.0.0.1/9",
        "/proc/self/mem",
        "/proc/self/fd/0",
        "file://{}",
        "~root",
        "~",
        ".",
        "..",
        "*",
    ),
)
_CODES = (
    *("\x1b]0;{}\x07", "\x1b[2J{}", "\u202e{}", "\u2066{}\u2069", "\ufeff{}", "\u0000{}", "\x7f{}", "\u2028touch {}"),
    *(
        "\ud800{}",
        "e\u0301{}",
        "\u200b{}",
        "\U0001f4a9{}",
        "\uff0e\uff0e\uff0f{}",
        "\x08\x08\x08{}",
        "",
        " ",
        "\t",
        "\n",
    ),
)
_FRAMES = ("pi{}", "{}pi", "a b{}", "{}" + "x" * 4096)


def hostile_strings(mark: Path, count: int = 200) -> list[str]:
    """So many different texts.

    Args:
        mark: a file that a command in them would create.
        count: at most what the tables here give.
    """
    plain = [text.replace("{}", str(mark)) for text in (*_SHELL, *_OPTIONS, *_PYTHON, *_PATHS, *_CODES)]
    plain = [text.replace("{{", "{").replace("}}", "}") for text in plain]
    framed = [
        _FRAMES[(shift + index) % len(_FRAMES)].replace("{}", text)
        for shift in range(len(_FRAMES))
        for index, text in enumerate(plain)
    ]
    return list(dict.fromkeys([*plain, *framed]))[:count]
