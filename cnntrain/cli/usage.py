"""Usage errors: what to write instead, and the error as JSON with ``--json``."""

import re
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from cnntrain.cli.views.terminal import errors_as_messages, print_failure, wants_json
from cnntrain.errors import UsageError, visible

CommandLineError: Any = typer.BadParameter.__mro__[1]
"""What Typer raises for usage errors; it has no public name."""
NEEDED = {"--out": "out", "--progress": "progress"}
"""Options that a hint may name, and the parameter of a command that has them."""
PLAIN = {
    r"Input should be a valid integer.*|is not a valid int.*": "expected a whole number",
    r"Input should be a valid number.*|is not a valid float.*": "expected a number",
    r"Input should be greater than or equal to (\S+)": r"expected at least \1",
    r"Input should be less than or equal to (\S+)": r"expected at most \1",
    r"Missing argument 'CONFIG'\.": "missing argument CONFIG: a YAML file, or the name of a bundled config such as "
    "digits",
    r"Value error, ": "",
    r"\n": " ",
}
"""Messages of Typer and the libraries below it, and ours."""


class Commands(TyperGroup):
    """The group of commands. It reports usage errors like all others, and expects that nobody may read the help."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        """Run a command line and exit with its status."""
        words = sys.argv[1:] if args is None else list(args)
        wants_json.set("--json" in words)
        try:
            refuse_empty_words(words)
            status = super().main(args, *rest, **{**options, "standalone_mode": False})
        except UsageError as error:
            print_failure("UsageError", str(error), UsageError.exit_code)
            status = UsageError.exit_code
        except CommandLineError as error:
            if type(error).__name__ == "NoArgsIsHelpError":  # the message is the help, or Typer prints it itself
                typer.echo(error.format_message(), err=True) if error.format_message() else error.show()
            else:
                if error.ctx is not None:
                    typer.echo(error.ctx.get_usage(), err=True)
                    typer.echo(f"Try '{error.ctx.command_path} --help' for help.\n", err=True)
                print_failure("UsageError", sentence(error, words), error.exit_code)
            status = error.exit_code
        sys.exit(status if isinstance(status, int) else 0)

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Parse the command line."""
        with errors_as_messages():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        with errors_as_messages():
            return super().invoke(ctx)


def refuse_empty_words(words: Sequence[str]) -> None:
    """Raise UsageError for an empty word: often a variable of the shell that is not set."""
    before = "cnntrain"
    for word in words:
        option, equals, value = word.partition("=")
        if word.startswith("--") and equals and not value:
            raise UsageError(f"{visible(option)}: expected a value, got nothing")
        if not word:
            where = before if before.startswith("-") else f"after {before}"
            raise UsageError(f"{visible(where)}: expected a word, got '' (is a variable of the shell empty?)")
        before = word


def sentence(error: Any, words: Sequence[str]) -> str:
    """Return the message of a usage error, with the override to write where an option means a key of the config."""
    message = str(error.format_message())
    for pattern, plain in PLAIN.items():
        message = re.sub(pattern, plain, message)
    parameter = getattr(error, "param", None)
    if parameter is not None and "expected" in message:
        value = written(words, parameter.opts)[1]
        return message if value is None else f"{message}, got {value[:80]!r}"
    option, command = getattr(error, "option_name", None), error.ctx.command if error.ctx is not None else None
    if not option or command is None:
        return message
    from cnntrain.config.familiar_names import advice  # imported late: only errors need it

    name, value = written(words, [option])
    hint = advice(name, value)
    parameters = {parameter.name for parameter in command.params}
    needed = next((of for word, of in NEEDED.items() if hint and word in hint), "overrides")
    return f"no such option: {name}; {hint}" if hint and needed in parameters else message


def written(words: Sequence[str], options: Sequence[str]) -> tuple[str, str | None]:
    """Return the first word that begins like one of the options, and its value: after ``=`` or the next word."""
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if word.startswith(tuple(options)):
            return name, value if equals else words[index + 1] if index + 1 < len(words) else None
    return options[0], None
