"""The `denchi` command."""

from service.cli.app import app


def main() -> None:
    """Run the command line."""
    app(prog_name="denchi")


if __name__ == "__main__":
    main()
