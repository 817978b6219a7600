"""The harness: run, score, check, time, submit; and the command line."""
