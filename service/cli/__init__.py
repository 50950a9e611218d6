"""The command line: `denchi`. Parses arguments and calls; decides nothing."""
