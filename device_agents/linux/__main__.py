"""Entry point of the zipped agent: moves stdout aside before anything else can write to it."""

import os
import sys

from device_agents.linux import bytecode


def main() -> int:
    """Run as the agent ("serve") or as its limited child ("worker"); returns the exit status."""
    mode = sys.argv[1] if len(sys.argv) == 2 else ""
    if mode == "serve":
        source, sink = os.dup(0), os.dup(1)  # os.dup: not inherited, so no child can speak to the host
        os.dup2(2, 1)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        bytecode.install(os.path.abspath(sys.argv[0]), write=True)
        from device_agents.linux import agent

        return agent.serve(os.path.abspath(sys.argv[0]), source, sink)
    if mode == "worker":
        bytecode.install(os.path.abspath(sys.argv[0]), write=False)
        from device_agents.linux import child

        return child.main()
    sys.stderr.write(f"usage: {sys.argv[0]} serve|worker\n")
    return 64


if __name__ == "__main__":
    sys.exit(main())
