"""The parts of kill_loop.py: what must be (model), who acts (actors), what breaks (damage)."""
