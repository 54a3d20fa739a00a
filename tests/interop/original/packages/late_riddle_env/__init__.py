"""The riddles of `riddle_env` beside this folder, answered by async overrides."""
