"""Entry point of the zipped agent: moves stdout aside before anything else can write to it."""

import os
import sys

from device_agents.linux import bytecode


def main() -> int:
    """Run as the agent ("serve", "confined" with its ROOT), its child ("worker"), or at boot ("recover" with its ROOT).

    Returns:
        The exit status.
    """
    mode, words = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
    if (mode, len(words)) in (("serve", 0), ("confined", 1)):
        source, sink = os.dup(0), os.dup(1)  # os.dup: not inherited, so no child can speak to the host
        os.dup2(2, 1)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        bytecode.install(os.path.abspath(sys.argv[0]), write=True)
        from device_agents.linux import agent

        return agent.serve(os.path.abspath(sys.argv[0]), source, sink, confined_to=words[0] if words else None)
    if (mode, len(words)) == ("recover", 1):
        from device_agents.linux import watchdog

        return watchdog.recover(os.path.abspath(words[0]))
    if mode == "worker":
        bytecode.install(os.path.abspath(sys.argv[0]), write=False)
        from device_agents.linux import child

        return child.main()
    sys.stderr.write(f"usage: {sys.argv[0]} serve|confined ROOT|recover ROOT|worker\n")
    return 64


if __name__ == "__main__":
    sys.exit(main())
