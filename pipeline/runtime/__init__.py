"""The process: environment, threads, progress bars, child processes, files."""
