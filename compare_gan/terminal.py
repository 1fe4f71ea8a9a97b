"""Text for a terminal, which must not contain characters that command it, and for UTF-8."""

import re
import sys

_APOSTROPHE = re.compile(r"(?<=\w)'(?=\w)")
_GIN = "\n  In call to configurable "  # Begins the lines that gin adds to every error.
_SURROGATE = re.compile("[\ud800-\udfff]")
_NODE = re.compile(r"\{\{.*?\}\}\s?")  # TensorFlow's names of the operation that failed.


def printable(text: str, keep: str = "\n\t") -> str:
    r"""The text with all characters escaped that a terminal does not show.

    Names of files and classes may contain such characters, which could move the cursor, change the
    order of other characters, or send input to the shell.

    Args:
      text: Any text.
      keep: Characters that are not escaped.

    Example:
      >>> from compare_gan.terminal import printable
      >>> print(printable("a\x1b[2Jb"))
      a\x1b[2Jb
    """
    if text.isprintable():
        return text
    return "".join(
        c if c in keep or c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )


def in_utf_8(text: str) -> str:
    r"""The text of JSON or Python code in a form that can be written in UTF-8.

    Python holds bytes of names that are not UTF-8 as surrogates, which become escapes in strings.

    Example:
      >>> from compare_gan.terminal import in_utf_8
      >>> print(in_utf_8("'caf\udce9'"))
      'caf\udce9'
    """
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def for_stdout(path: str) -> str:
    """A path as standard output takes it: as it is for a program, escaped for a terminal.

    Example:
      >>> from compare_gan.terminal import for_stdout
      >>> for_stdout("runs/a/grid.png")
      'runs/a/grid.png'
    """
    return printable(path, keep="") if sys.stdout.isatty() else path


def sentence_of(error: BaseException) -> str:
    r"""The message of an error on one line, without lines that gin and TensorFlow add.

    A line break in quotes belongs to a file's name: it is escaped. Elsewhere it ends the message.

    Example:
      >>> from compare_gan.terminal import sentence_of
      >>> print(sentence_of(ValueError("There is no 'a\nb'.\n  In call to configurable 'fid'")))
      There is no 'a\nb'.
      >>> print(sentence_of(ValueError("It can't be read.\nIt isn't text.")))
      It can't be read.
    """
    text = _NODE.sub("", str(error)).strip().split(_GIN)[0]
    first, *rest = text.split("\n")
    while rest and _APOSTROPHE.sub("", first).count("'") % 2:
        first = f"{first}\n{rest.pop(0)}"
    return printable(first, keep="")


def duration(seconds: float) -> str:
    """Seconds as 1:02:03 or 2:03.

    Example:
      >>> from compare_gan.terminal import duration
      >>> duration(3723.4), duration(59.6)
      ('1:02:03', '1:00')
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
