"""Python code that is named: by methods and workers, by a task, by a suite or command of the user's own."""
