"""The runner: from a gin config to a trained model directory.

`options` and `config` read what is wanted, `state` holds what is trained, `step` trains it one
generator step, `trainer` runs the loop around it, `schedules` combine training with evaluation,
`run_dir` reads the result back.
"""
