"""Two machines that are one: namespaces give processes another hostname, and ids of their own."""

CONTAINER = ("--pid", "--mount-proc", "--fork", "--kill-child")


def on(host, *command, apart=False):
    """The command, on another host; `apart`: where process ids mean something else, as in a container.

    It keeps its place as the child of whoever starts it, so that killing it kills the command.
    """
    options = CONTAINER if apart else ()
    return ["unshare", "--uts", *options, "sh", "-c", 'hostname "$0" && exec "$@"', host, *command]
